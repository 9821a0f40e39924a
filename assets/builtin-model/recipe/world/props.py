"""The one thing that stands, sails or flies before the landscape."""
import numpy as np

from .noise import noise1
from .palette import COL, F, LAMP, WHITE, blend, faithful, mix, near, plane, rgb
from .vocabulary import WET

CENTRES = {-1: (0.16, 0.32), 0: (0.42, 0.58), 1: (0.68, 0.84)}
ISLANDERS = ("house", "castle", "pine trees", "trees", "cherry trees", "cactus", "lighthouse")  # these need land
CREAM = (0.95, 0.94, 0.9)


class Site:
    """Where a prop goes: centre x, y of the ground, its colour [3], its colour's name, and whether lamps burn."""

    def __init__(self, painter, view, random):
        """Finds the place, and paints an islet for it where water is."""
        scene = view.scene
        # every side draws, so that the stream stays in step
        centres = {side: random.uniform(*ends) for side, ends in CENTRES.items()}
        self.random = random
        self.side = scene["propside"]
        self.x = centres[self.side]
        self.name = scene["propcol"]
        self.colour = rgb(COL[self.name]) if self.name else None
        self.lamps = view.time in ("night", "sunset")
        self.ground = scene["ground"]
        self.wet = self.ground in WET
        self.y = view.horizon + (0.16 if self.wet else 0.30) * (1 - view.horizon) + 0.02
        if self.wet and scene["prop"] in ISLANDERS:
            self.y = paint_islet(painter, view, random, self.x)


def paint_prop(painter, view):
    """Paints the scene's prop, if it has one."""
    prop = view.scene.get("prop", "none")
    if prop != "none":
        PAINTERS[prop](painter, view, Site(painter, view, view.stream("prop")))


def paint_islet(painter, view, random, cx):
    """A green shore in the foreground; returns the y of its ground at cx."""
    outline = view.horizon + (1 - view.horizon) * 0.62 + 0.10 * (noise1(random, painter.size, 2, 3) - 0.5)
    outline = outline - 0.16 * np.exp(-((painter.columns - cx) / 0.22) ** 2)
    green = rgb((0.34, 0.54, 0.24))
    down = np.clip((painter.y - outline[None]) / 0.2, 0, 1)
    painter.below(outline.astype(F), blend(near(view, green), near(view, green * 0.5), down))
    return float(outline[int(np.clip(cx, 0, 0.99) * painter.size)]) + 0.02


def house(painter, view, site):
    """A cottage with a chimney, two windows and a door."""
    width, height = site.random.uniform(0.19, 0.25), site.random.uniform(0.13, 0.165)
    left, bottom = site.x - width / 2, site.y
    top = bottom - height
    corner = left + width * 0.62
    painter.rectangle(left, top, left + width, bottom, faithful(view, site.colour))
    painter.rectangle(corner, top, left + width, bottom, faithful(view, site.colour * 0.76))
    roof = rgb((0.6, 0.3, 0.25)) if site.name == "black" else rgb((0.30, 0.22, 0.22))
    chimney = top - height * 0.85
    painter.rectangle(left + width * 0.70, chimney, left + width * 0.82, top - 0.01, near(view, roof * 0.8))
    eaves, ridge = top + 0.004, (left + width * 0.5, top - height * 0.78)
    painter.polygon([(left - width * 0.1, eaves), ridge, (left + width * 1.1, eaves)], near(view, roof))
    glass = rgb(LAMP) if site.lamps else near(view, (0.65, 0.82, 0.92))
    for start in (0.12, 0.40):
        x0, x1 = left + width * start, left + width * (start + 0.16)
        painter.rectangle(x0, top + height * 0.22, x1, top + height * 0.55, glass)
    door = near(view, roof * 0.8)
    painter.rectangle(left + width * 0.74, top + height * 0.42, left + width * 0.90, bottom, door)


def castle(painter, view, site):
    """A wall with battlements, a gate and three towers."""
    width, height, ground = 0.26, 0.15, site.y
    left = site.x - width / 2
    bright = faithful(view, np.clip(site.colour * 0.93 + 0.04, 0, 1))
    dark = faithful(view, site.colour * 0.72)
    wall = ground - height
    painter.rectangle(left, wall, left + width, ground, bright)
    for i in range(7):
        x0, x1 = left + width * i / 7, left + width * (i + 0.55) / 7
        painter.rectangle(x0, wall - 0.016, x1, wall + 0.002, bright)
    half = 0.034
    for across, tall in ((0, 0.24), (1, 0.22), (0.5, 0.31)):
        x, top = left + width * across, ground - tall
        painter.rectangle(x - half, top, x + half, ground, bright)
        painter.rectangle(x + half * 0.2, top, x + half, ground, dark)
        cap = [(x - half * 1.3, top + 0.002), (x, top - 0.09), (x + half * 1.3, top + 0.002)]
        painter.polygon(cap, near(view, (0.36, 0.18, 0.28)))
        slit = LAMP if site.lamps else near(view, (0.2, 0.2, 0.25))
        painter.rectangle(x - 0.008, top + 0.04, x + 0.008, top + 0.07, slit)
    gate = near(view, (0.2, 0.14, 0.14))
    painter.disc(site.x, ground - 0.05, 0.028, gate)
    painter.rectangle(site.x - 0.028, ground - 0.05, site.x + 0.028, ground, gate)


def grove(painter, view, site, tree):
    """Three to six trees, the far ones first."""
    random = site.random
    count = int(random.integers(3, 7))
    spread = 0.34 if site.side else 0.8
    places = site.x + (np.linspace(-0.5, 0.5, count) + random.uniform(-0.06, 0.06, count)) * spread
    places = np.clip(places, 0.04, 0.96)
    depths = random.random(count)
    depths.sort()
    for x, depth in zip(random.permutation(places), depths):
        y = site.y + (0.02 + 0.16 * depth) * (1 - view.horizon)
        height = (0.16 + 0.12 * depth) * random.uniform(0.85, 1.15)
        if site.wet:
            y = site.y + 0.02 + 0.04 * depth
        tree(painter, view, site, x, y, height)


def pine(painter, view, site, x, y, height):
    """A fir of three tiers, snowed on where there is snow."""
    green = rgb((0.12, 0.40, 0.25)) * site.random.uniform(0.85, 1.15)
    painter.rectangle(x - 0.008, y - height * 0.2, x + 0.008, y, near(view, (0.35, 0.23, 0.15)))
    for tier in range(3):
        foot = y - height * (0.12 + 0.26 * tier)
        half = height * (0.30 - 0.065 * tier)
        tip = (x, foot - height * 0.40)
        painter.polygon([(x - half, foot), tip, (x + half, foot)], near(view, green * (1 + 0.12 * tier)))
        painter.polygon([(x + half * 0.1, foot), tip, (x + half, foot)], near(view, green * (0.68 + 0.1 * tier)))
        if site.ground == "snow field" or view.sky == "snowfall":
            edge = foot - height * 0.20
            snow = [(x - half * 0.48, edge), tip, (x + half * 0.48, edge)]
            painter.polygon(snow, near(view, (0.95, 0.97, 1.0)), 0.9)


def leafy(painter, view, site, x, y, height, leaf, shade):
    """A trunk with a crown of six discs, brighter towards the light."""
    random = site.random
    trunk = [(x - 0.010, y - height * 0.6), (x + 0.010, y - height * 0.6), (x + 0.014, y), (x - 0.014, y)]
    painter.polygon(trunk, near(view, (0.36, 0.24, 0.17)))
    side = -1 if view.light_x < 0.5 else 1
    for i in range(6):
        angle = i * 1.05 + random.uniform(-0.3, 0.3)
        away = height * 0.17 * (i > 0)
        cx, cy = x + away * np.cos(angle) * 1.15, y - height * 0.72 + away * np.sin(angle) * 0.8
        radius = height * random.uniform(0.17, 0.22)
        gain = 1.12 if np.cos(angle) * side > 0 or i == 0 else 0.86
        painter.disc(cx, cy, radius, shade(view, np.clip(leaf * gain, 0, 1)), 1, (side * 0.3, -0.8, 0.16))


def green_tree(painter, view, site, x, y, height):
    """A leafy tree."""
    leaf = rgb((0.30, 0.58, 0.22)) * site.random.uniform(0.85, 1.15)
    leafy(painter, view, site, x, y, height, leaf, near)


def cherry_tree(painter, view, site, x, y, height):
    """A tree whose blossom stays pink at night."""
    leaf = rgb((0.98, 0.62, 0.76)) * site.random.uniform(0.94, 1.04)
    leafy(painter, view, site, x, y, height, leaf, faithful)


def cactus(painter, view, site):
    """One to three cacti with two arms, drawn once as a dark edge and once over it."""
    random = site.random
    count = int(random.integers(1, 4))
    green = rgb((0.22, 0.52, 0.28))
    for i in range(count):
        x = np.clip(site.x + (i - (count - 1) / 2) * 0.2, 0.08, 0.92)
        depth = random.random()
        y = site.y + 0.10 * depth + 0.05
        height = 0.2 + 0.1 * depth
        thick = height * 0.085
        thin = thick * 0.72
        for colour, shift in ((green * 0.7, thick * 0.3), (green, 0)):
            colour = near(view, colour)
            trunk, left, right = x + shift, x - height * 0.28 + shift, x + height * 0.26 + shift
            painter.capsule(trunk, y - thick * 0.5, trunk, y - height, thick, colour)
            painter.capsule(left, y - height * 0.45, left, y - height * 0.75, thin, colour)
            painter.capsule(left, y - height * 0.45, trunk, y - height * 0.40, thin, colour)
            painter.capsule(right, y - height * 0.55, right, y - height * 0.85, thin, colour)
            painter.capsule(right, y - height * 0.55, trunk, y - height * 0.50, thin, colour)


def sailboat(painter, view, site):
    """A boat with two coloured sails, and their reflection."""
    x, y = site.x, view.horizon + 0.30 * (1 - view.horizon)
    size = site.random.uniform(0.19, 0.25)
    painter.rectangle(x - 0.003, y - size * 1.15, x + 0.004, y, near(view, (0.3, 0.2, 0.15)))
    boom = y - size * 0.12
    main = [(x + 0.008, y - size * 1.1), (x + size * 0.5, boom), (x + 0.008, boom)]
    painter.polygon(main, faithful(view, site.colour))
    jib = [(x - 0.006, y - size * 1.0), (x - size * 0.38, boom), (x - 0.006, boom)]
    painter.polygon(jib, faithful(view, np.clip(site.colour * 0.84 + 0.06, 0, 1)))
    deck, keel = y - size * 0.08, y + size * 0.13
    bow, stern = (x + size * 0.56, deck), (x - size * 0.5, deck)
    hull = [stern, bow, (x + size * 0.38, keel), (x - size * 0.36, keel)]
    painter.polygon(hull, near(view, (0.45, 0.27, 0.18)))
    rail = y - size * 0.03
    painter.polygon([stern, bow, (x + size * 0.53, rail), (x - size * 0.47, rail)], near(view, (0.9, 0.86, 0.8)))
    reflection = near(view, mix(site.colour, rgb((0.2, 0.3, 0.4)), 0.4))
    for i in range(4):
        top, bottom, inward = y + size * (0.17 + 0.12 * i), y + size * (0.21 + 0.12 * i), 0.05 * i
        stripe = [
            (x - size * (0.3 - inward), top), (x + size * (0.36 - inward), top),
            (x + size * (0.30 - inward), bottom), (x - size * (0.24 - inward), bottom),
        ]
        painter.polygon(stripe, reflection, 0.45)


def lighthouse(painter, view, site):
    """A striped tower that shines in the dark hours."""
    cx, ground = site.x, site.y
    height, wide, narrow = site.random.uniform(0.30, 0.36), 0.052, 0.032
    top = ground - height
    if site.lamps and not view.measuring:
        paint_beams(painter, cx, top - 0.02)
    if site.name == "white":
        stripes = [rgb(CREAM), rgb((0.75, 0.76, 0.8))]
    else:
        stripes = [site.colour, rgb(CREAM)]
    for i in range(5):
        a, b = i / 5, (i + 1) / 5
        foot, head = mix(wide, narrow, a), mix(wide, narrow, b)
        low, high = ground - height * a, ground - height * b
        colour = stripes[i % 2]
        stripe = [(cx - foot, low), (cx + foot, low), (cx + head, high), (cx - head, high)]
        painter.polygon(stripe, faithful(view, colour))
        shade = [(cx + foot * 0.25, low), (cx + foot, low), (cx + head, high), (cx + head * 0.25, high)]
        painter.polygon(shade, faithful(view, colour * 0.76))
    painter.rectangle(cx - 0.040, top - 0.010, cx + 0.040, top, near(view, (0.2, 0.2, 0.22)))
    lantern = (1.0, 0.93, 0.6) if site.lamps else near(view, (0.85, 0.93, 0.97))
    painter.rectangle(cx - 0.019, top - 0.045, cx + 0.019, top - 0.010, lantern)
    cap = [(cx - 0.028, top - 0.044), (cx + 0.028, top - 0.044), (cx, top - 0.082)]
    painter.polygon(cap, faithful(view, site.colour * 0.9))


def paint_beams(painter, cx, y):
    """Two beams of light, from (cx, y) to both sides."""
    for side in (-1, 1):
        away = (painter.x - cx) * side
        inside = 1 - np.abs(painter.y - y + 0.10 * away * side) / (np.abs(away) * 0.16 + 0.006)
        beam = np.clip(inside, 0, 1) * (away > 0) * np.exp(-np.abs(away) * 2.4)
        painter.over((beam * 0.62).astype(F), (1.0, 0.93, 0.62))


def balloon(painter, view, site):
    """A striped balloon with a cream band and a basket."""
    cx, y = site.x, view.horizon * site.random.uniform(0.36, 0.58)
    radius = site.random.uniform(0.10, 0.135)
    window = painter.window(cx - radius, y - radius, cx + radius, y + radius * 1.6)
    px, py = painter.grid(window)
    px, py = (px - cx) / radius, (py - y) / radius
    half = np.where(py < 0.2, np.sqrt(np.clip(1 - py * py, 0, 1)), np.clip(0.98 - (py - 0.2) * 0.72, 0.0, 1))
    inside = np.where(py < 0, 1 - np.sqrt(px * px + py * py), np.minimum(half - np.abs(px), 1.25 - py))
    cover = np.clip(inside * radius * painter.size + 0.5, 0, 1)
    around = np.arcsin(np.clip(px / np.maximum(half, 0.05), -1, 1)) / 3.1416
    stripe = np.floor(around * 7 + 20.5) % 2
    pale = rgb((0.80, 0.82, 0.86)) if site.name == "white" else mix(site.colour, WHITE, 0.26)
    side = 1 if view.light_x < 0.5 else -1
    shade = np.clip(1.04 - 0.26 * (px * side * 0.7 + py * 0.5), 0.55, 1.15)
    colour = blend(faithful(view, site.colour), faithful(view, pale), stripe) * shade
    band = ((py > 0.22) & (py < 0.36))[None]
    colour = np.where(band, plane(faithful(view, (0.97, 0.93, 0.82))) * shade, colour)
    painter.over(cover, np.clip(colour, 0, 1), window)
    for side in (-1, 1):
        rope = near(view, (0.25, 0.18, 0.12))
        top, bottom = cx + side * radius * 0.2, cx + side * radius * 0.11
        painter.capsule(top, y + radius * 1.22, bottom, y + radius * 1.52, 0.0022, rope)
    rim, floor = y + radius * 1.5, y + radius * 1.74
    wide, narrow = radius * 0.15, radius * 0.12
    basket = [(cx - wide, rim), (cx + wide, rim), (cx + narrow, floor), (cx - narrow, floor)]
    painter.polygon(basket, near(view, (0.52, 0.34, 0.18)))


PAINTERS = {
    "house": house, "castle": castle, "cactus": cactus, "sailboat": sailboat, "lighthouse": lighthouse,
    "balloon": balloon,
    "pine trees": lambda painter, view, site: grove(painter, view, site, pine),
    "trees": lambda painter, view, site: grove(painter, view, site, green_tree),
    "cherry trees": lambda painter, view, site: grove(painter, view, site, cherry_tree),
}
