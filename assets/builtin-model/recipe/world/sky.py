"""The sky: its gradient, stars, aurora, clouds, rainbow, fog and falling snow."""
import numpy as np

from .layout import COLUMNS
from .noise import noise1, noise2
from .palette import COL, F, LIGHT, SKY, STORM, WHITE, blend, mix, plane, rgb

RAINBOW = [
    (0.90, 0.12, 0.18), (1, 0.52, 0.08), (1, 0.90, 0.18), (0.22, 0.78, 0.32), (0.16, 0.46, 0.95), (0.52, 0.22, 0.82),
]
AURORAS = [(0.15, 0.95, 0.55), (0.2, 0.9, 0.8), (0.75, 0.3, 0.9)]
MIDDLE = 0.55  # where the gradient has its middle colour, of the way to the horizon


def sky_colours(view, random):
    """Top, middle and horizon colour."""
    colours = [rgb(colour) for colour in (STORM if view.sky == "storm" else SKY)[view.time]]
    if view.scene["skycol"]:
        tint = rgb(COL[view.scene["skycol"]])
        colours = [np.clip(mix(colour, tint * (0.35 + 0.9 * colour.mean()), 0.75), 0, 1) for colour in colours]
    shift = random.normal(0, 0.02, 3).astype(F)
    if view.sky == "snowfall":  # flakes need a duller sky
        dull = rgb((0.50, 0.57, 0.68)) * (0.25 if view.time == "night" else 1)
        colours = [mix(colour, dull, 0.34) for colour in colours]
    return [np.clip(colour + shift, 0, 1) for colour in colours]


def gradient(view, t):
    """Planes of sky colour at t [1, H, W]: 0 is the top, 1 the horizon."""
    upper = mix(plane(view.top), plane(view.middle), t / MIDDLE)
    return np.where(t < MIDDLE, upper, mix(plane(view.middle), plane(view.low), (t - MIDDLE) / (1 - MIDDLE)))


def paint_sky(painter, view, random):
    """Everything that hangs in the sky behind the bodies."""
    painter.image[:] = gradient(view, np.clip(painter.y / view.horizon, 0, 1)[None])
    if view.sky == "stars":
        paint_stars(painter, view, random)
    elif view.sky == "aurora":
        paint_aurora(painter, view, random)
    elif view.sky in ("clouds", "storm", "rainbow"):
        paint_clouds(painter, view, random)


def paint_stars(painter, view, random):
    """Stars beside the bodies; a few glitter."""
    for _ in range(int(random.integers(60, 110))):
        x, y = random.random(), random.random() * view.horizon * 0.95
        size = random.random()
        radius = 0.0046 + 0.005 * size ** 4
        alpha = 0.55 + 0.45 * random.random()
        colour = mix(WHITE, rgb((0.75, 0.85, 1.0)), random.random())
        if any(np.hypot(x - bx, y - by) < reach * 1.3 for bx, by, reach in view.bodies):
            continue
        painter.disc(x, y, radius, colour, alpha)
        if size > 0.93:
            for long, thin in ((0.022, 0.0028), (0.0028, 0.022)):
                painter.polygon([(x - long, y), (x, y - thin), (x + long, y), (x, y + thin)], colour, 0.9)


def paint_aurora(painter, view, random):
    """Two or three glowing curtains high above the terrain."""
    size, horizon = painter.size, view.horizon
    main = rgb(AURORAS[int(random.integers(3))])
    tip = rgb((0.55, 0.2, 0.85))
    for _ in range(int(random.integers(2, 4))):
        foot = horizon * (random.uniform(0.40, 0.66)) + (noise1(random, size, 3, 2) - 0.5) * horizon * 0.55
        height = horizon * random.uniform(0.28, 0.5)
        rise = (foot[None, :] - painter.y) / height
        streaks = 0.55 + 0.45 * noise1(random, size, 14, 2)[None, :]
        glow = np.where(rise > 0, np.exp(-2.2 * rise) * np.clip(rise * 9, 0, 1), 0) * streaks * random.uniform(0.5, 0.8)
        painter.image += glow * mix(plane(main), plane(tip), np.clip(rise, 0, 1)[None] * 0.9)
    np.clip(painter.image, 0, 1, painter.image)


def cloud_place(view, random, width):
    """(x, y, width) of a cloud's base beside the bodies and above the skyline; None when sixteen tries find none."""
    horizon = view.horizon
    for _ in range(16):
        cx = random.uniform(-0.05, 1.05)
        roof = np.median(view.skyline[np.abs(COLUMNS - cx) < max(width, 0.07)]) + 0.02
        highest, lowest = 0.1 * horizon, min(0.72 * horizon, roof)
        # A summit may leave no sky above it: the middle then, which the skyline hides.
        cy = random.uniform(highest, max(highest, lowest))
        gaps = [
            np.hypot(max(abs(x - cx) - width * 1.1, 0), max(cy - width * 0.62 - y, y - cy, 0)) - radius
            for x, y, radius in view.bodies
        ]
        if (not gaps or min(gaps) > 0) and cy > 0.05:
            return cx, cy, width
        width = max(width * 0.93, 0.07)
    return None


def paint_clouds(painter, view, random):
    """Flat-bottomed heaps, brighter on top."""
    storm = view.sky == "storm"
    count = int(random.integers(6, 9)) if storm else int(random.integers(3, 6))
    light = mix(rgb(LIGHT[view.time]), WHITE, 0.45)
    bright = mix(WHITE * light, view.middle, 0.62 if storm else 0.12)
    if view.time == "night":
        bright = mix(rgb((0.33, 0.38, 0.55)), view.middle, 0.35)
    dark = mix(bright, view.middle, 0.55)
    for _ in range(count):
        width = random.uniform(0.1, 0.24) * (1.35 if storm else 1)
        heaps = int(random.integers(4, 7))
        place = cloud_place(view, random, width)
        if place is None:
            continue
        cx, cy, width = place
        window = painter.window(cx - width * 1.3, cy - width * 0.8, cx + width * 1.3, cy + 0.012)
        if window is None:
            continue
        x, y = painter.grid(window)
        inside = None
        for i in range(heaps):
            u = (i + 0.5) / heaps * 2 - 1
            radius = width * (0.20 + 0.24 * (1 - u * u)) * random.uniform(0.8, 1.2)
            distance = np.sqrt((x - (cx + u * width * 0.85)) ** 2 + (y - (cy - radius * 0.55)) ** 2)
            heap = radius - distance
            inside = heap if inside is None else np.maximum(inside, heap)
        cover = np.clip(np.minimum(inside, cy - y) * painter.size * 0.8 + 0.5, 0, 1) * 0.93
        painter.over(cover, blend(dark, bright, np.clip((cy - y) / (width * 0.5), 0, 1)), window)


def paint_rainbow(painter, view):
    """An arc before the terrain, fading towards the ground."""
    cx, cy, outer = view.arc
    distance = np.sqrt((painter.x - cx) ** 2 + (painter.y - cy) ** 2)
    band = 0.015
    fade = np.clip((view.horizon - painter.y) / 0.10, 0, 1) * 0.80
    for i, colour in enumerate(RAINBOW):
        cover = np.clip((band * 0.55 - np.abs(distance - outer + i * band)) * painter.size + 0.5, 0, 1)
        painter.over(cover * fade, colour)


def paint_fog(painter, view):
    """A bank of fog along the horizon, thinner where the terrain is low and would vanish."""
    random = view.stream("weather")
    away = (painter.y - view.horizon) / np.where(painter.y < view.horizon, 0.16, 0.26)
    low = view.terrain in ("hills", "dunes", "islands", "forest", "mesas", "city")
    density = (0.6 if low else 0.78) * np.exp(-away * away) * (0.65 + 0.5 * noise2(random, painter.size, 2, 6, 2))
    grey = rgb((0.9, 0.9, 0.92)) * (0.35 if view.time == "night" else 1)
    painter.over(np.clip(density * (0.8 if view.kind == "still" else 1), 0, 0.93), mix(view.low, grey, 0.35))


def paint_snowfall(painter, view):
    """Flakes over the whole picture."""
    random = view.stream("weather")
    for _ in range(90):
        near = random.random()
        x, y = random.random(), random.random()
        painter.disc(x, y, 0.0055 + 0.0075 * near * near, (1, 1, 1), 0.72 + 0.28 * near)
