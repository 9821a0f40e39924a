"""What stands on the horizon."""
import numpy as np

from .noise import noise1
from .palette import F, blend, lit, mix, plane, rgb

ROCK = (0.42, 0.44, 0.52)
BARE_ROCKS = [(0.45, 0.40, 0.38), (0.38, 0.42, 0.40), (0.50, 0.38, 0.34)]


def paint_terrain(painter, view, random):
    """Paints the scene's terrain down to the horizon."""
    if view.terrain != "none":
        PAINTERS[view.terrain](painter, view, random)


def lowered(view):
    """Terrain behind solids is lower: the sky above it needs room."""
    return 0.8 if view.kind == "still" else 1.0


def mountain_range(painter, view, random, snow, depth, highest, count, rock):
    """Overlapping peaks with a lit and a shaded flank, faded by depth 0..1, at most so high above the horizon."""
    size, horizon = painter.size, view.horizon
    x = painter.columns
    centres = (np.arange(count) + random.uniform(0.15, 0.85, count)) / count
    order = random.permutation(count)
    outline = np.full(size, horizon + 0.02, F)
    owner = np.zeros(size, int)
    jagged = (noise1(random, size, 12, 3) - 0.5) * 0.045
    peaks = random.uniform(0.6, 1.0, count) * highest
    widths = peaks * random.uniform(0.85, 1.35, count)
    for i in order:
        slope = 1 - np.abs(x - centres[i]) / widths[i]
        heights = horizon - peaks[i] * slope + jagged * np.clip(slope, 0, 1) * 1.2
        owner[heights < outline] = i
        outline = np.minimum(outline, heights)
    side = -1 if view.light_x < 0.5 else 1
    zigzag = (noise1(random, size, 10, 3) - 0.5) * 0.16
    fall = painter.y - (horizon - peaks[owner])[None, :]
    crest = centres[owner][None, :] + zigzag[:, None] * np.clip(fall * 6, 0, 1) + fall * 0.12 * side
    bright = np.clip(((painter.x - crest) * side) * size * 0.7 + 0.5, 0, 1)
    colour = blend(lit(view, rgb(rock) * 0.62, depth), lit(view, rock, depth), bright)
    if snow:
        ragged = noise1(random, size, 16, 2)[None, :] * 0.11 + noise1(random, size, 9, 2)[:, None] * 0.05
        line = (highest * random.uniform(0.42, 0.6)) * (peaks[owner] / highest)[None, :]
        cover = np.clip((line - fall + ragged - 0.08) * size * 0.5 + 0.5, 0, 1)
        white = blend(lit(view, (0.66, 0.74, 0.90), depth * 0.5), lit(view, (1.0, 1.0, 1.0), depth * 0.5), bright)
        colour = mix(colour, white, cover[None])
    fade = np.clip((painter.y - (horizon - highest * 0.45)) / (highest * 0.45), 0, 1) * 0.45
    painter.below(outline, mix(colour, plane(view.low * 0.92), fade[None]))


def mountains(painter, view, random):
    """A far and a near range."""
    snow = view.terrain == "snowy mountains"
    rock = ROCK if snow else BARE_ROCKS[int(random.integers(3))]
    up = lowered(view)
    mountain_range(painter, view, random, snow, 0.42, random.uniform(0.20, 0.28) * up, int(random.integers(3, 5)), rock)
    mountain_range(painter, view, random, snow, 0.16, random.uniform(0.15, 0.23) * up, int(random.integers(2, 4)), rock)


def volcano(painter, view, random):
    """A cone away from the body, with lava, glow and smoke."""
    horizon, x = view.horizon, painter.columns
    mountain_range(painter, view, random, False, 0.5, 0.12, 4, (0.40, 0.36, 0.38))
    cx = 0.5 + 0.12 * random.random() * (-1 if view.side > 0 else 1)
    height = random.uniform(0.26, 0.33)
    width = height * 1.15
    away = np.abs(x - cx)
    flank = np.clip(1 - away / width, 0, 0.8) ** 1.25 / 0.8 ** 1.25
    outline = horizon - height * flank + (noise1(random, painter.size, 14, 2) - 0.5) * 0.012
    crater = np.maximum(outline, horizon - height + 0.012 * np.cos(away / (width * 0.2) * 1.57))
    outline = np.where(away < width * 0.2, crater, outline)
    side = 1 if view.light_x > 0.5 else -1
    ragged = noise1(random, painter.size, 8, 2)[:, None] - 0.5
    bright = np.clip((painter.x - cx) * side * 6 + 0.5 + ragged, 0, 1)
    colour = blend(lit(view, (0.20, 0.16, 0.18), 0.1), lit(view, (0.38, 0.30, 0.30), 0.1), bright)
    painter.below(outline.astype(F), colour)
    for puff in range(7):
        y = horizon - height - 0.012 - puff * 0.035
        drift = cx + puff * 0.018 * np.sin(puff + cx * 9) + puff * 0.01
        smoke = mix(lit(view, (0.45, 0.42, 0.44), 0.2), rgb((0.9, 0.3, 0.1)), 0.35 * (puff < 2))
        painter.disc(drift, y, 0.02 + puff * 0.009, smoke, 0.75)
    for i in range(3):
        start = cx + (i - 1) * 0.02
        end = start + (i - 1) * 0.07
        rim = horizon - height + 0.004
        left, right = (end - 0.004, horizon - height * 0.5), (end + 0.006, horizon - height * random.uniform(0.3, 0.55))
        painter.polygon([(start - 0.008, rim), (start + 0.008, rim), right, left], (1.0, 0.42, 0.08), 0.95)
    distance2 = (painter.x - cx) ** 2 + (painter.y - (horizon - height)) ** 2
    painter.over(0.45 * np.exp(-distance2 / (2 * 0.045 ** 2)), (1.0, 0.5, 0.12))


def hills(painter, view, random):
    """Three soft green waves."""
    green = rgb((0.36, 0.60, 0.26))
    for i, (depth, height) in enumerate(((0.5, 0.13), (0.28, 0.10), (0.08, 0.07))):
        outline = view.horizon - height * noise1(random, painter.size, 3, 2, 0.35) * (1.25 - 0.25 * i) + 0.01
        bright = lit(view, green * (1.12 - 0.1 * i), depth)
        dark = lit(view, green * (0.62 - 0.04 * i), depth)
        painter.below(outline, blend(bright, dark, np.clip((painter.y - outline[None]) / 0.1, 0, 1)))


def dunes(painter, view, random):
    """Three rows of crests, each with a long and a steep flank."""
    size, horizon, x = painter.size, view.horizon, painter.columns
    sand, count = rgb((0.90, 0.68, 0.40)), 3
    for depth, height in ((0.5, 0.13), (0.28, 0.10), (0.08, 0.07)):
        centres = (np.arange(count) + random.uniform(0.1, 0.9, count)) / count
        peaks = random.uniform(0.5, 1, count) * height * 1.15
        outline = np.full(size, horizon + 0.02, F)
        owner = np.zeros(size, int)
        for i in range(count):
            away = x - centres[i]
            width = np.where(away < 0, 0.36, 0.22)
            bulge = np.clip(np.cos(np.clip(away / width, -1, 1) * 1.57), 0, 1) ** 1.4
            heights = horizon - peaks[i] * bulge
            owner[heights < outline] = i
            outline = np.minimum(outline, heights).astype(F)
        crest = centres[owner][None] + (painter.y - (horizon - peaks[owner])[None]) * 1.1
        bright = np.clip((crest - painter.x) * size * 0.25 + 0.5, 0, 1)
        if view.light_x >= 0.5:
            bright = 1 - bright
        painter.below(outline, blend(lit(view, sand * 0.60, depth), lit(view, sand * 1.06, depth), bright))


def forest(painter, view, random):
    """Three rows of firs with stepped outlines."""
    size, horizon, x = painter.size, view.horizon, painter.columns
    green = rgb((0.13, 0.36, 0.24))
    rows = ((0.55, 0.10, 34, 0.05), (0.33, 0.12, 24, 0.025), (0.10, 0.15, 15, 0))
    for i, (depth, height, count, lift) in enumerate(rows):
        outline = np.full(size, horizon + 0.01, F)
        ground = horizon - lift - 0.05 * noise1(random, size, 2, 2) * (i < 2)
        for k in range(count):
            cx = (k + random.random()) / count
            tree = height * random.uniform(0.55, 1.0)
            away = np.abs(x - cx) / (tree * 0.30)
            rise = 1 - away
            steps = np.floor(rise * 5) / 5
            rise = 0.55 * rise + 0.45 * (steps + 0.12)
            outline = np.where(away < 1, np.minimum(outline, ground - tree * np.clip(rise, 0, 1)), outline)
        outline = np.minimum(outline, ground)
        down = np.clip((painter.y - (horizon - height)) / height, 0, 1)
        colour = blend(lit(view, green * 1.25, depth), lit(view, green * 0.7, depth), down)
        painter.below(outline.astype(F), colour)


def mesas(painter, view, random):
    """Two rows of flat-topped red rocks with layers."""
    size, horizon, x = painter.size, view.horizon, painter.columns
    rock = rgb((0.78, 0.38, 0.24))
    for i, depth in enumerate((0.42, 0.12)):
        outline = np.full(size, horizon + 0.01, F)
        for _ in range(3):
            cx = random.uniform(0, 1)
            width = random.uniform(0.07, 0.17)
            height = random.uniform(0.12, 0.25) * (1 - 0.15 * i)
            away = np.abs(x - cx)
            scree = np.minimum(horizon + 0.02, horizon - height * 0.45 + (away - width) / 0.09 * height * 0.5)
            outline = np.minimum(outline, np.where(away < width, horizon - height, scree))
        outline = (outline + (noise1(random, size, 30, 2) - 0.5) * 0.014).astype(F)
        wave = (noise1(random, size, 6, 2)[None] - 0.5) * 0.02
        layers = 0.5 + 0.5 * np.sin((painter.y + wave) * 150)
        painter.below(outline, blend(lit(view, rock * 0.72, depth), lit(view, rock * 1.12, depth), layers))


def city(painter, view, random):
    """Two rows of towers; the near one has windows."""
    windows = view.stream("windows")
    horizon = view.horizon
    for i, depth in enumerate((0.5, 0.14)):
        x = -0.02
        while x < 1.02:
            width = random.uniform(0.05, 0.10)
            height = random.uniform(0.08, 0.30) * (1 - 0.25 * i) * lowered(view)
            wall = lit(view, rgb((0.36, 0.40, 0.50)) * random.uniform(0.75, 1.15), depth)
            roof = horizon - height
            painter.rectangle(x, roof, x + width, horizon + 0.01, wall)
            if random.random() < 0.25:
                tip = roof - 0.05
                middle = x + width * 0.5
                foot = [(x + width * 0.6, roof), (x + width * 0.4, roof)]
                painter.polygon([(middle - 0.005, tip), (middle + 0.005, tip), *foot], wall)
            if i == 1 and not view.measuring:
                paint_windows(painter, view, windows, x, roof, width, wall)
            x += width + random.uniform(0, 0.012)


def paint_windows(painter, view, random, left, roof, width, wall):
    """A tower's windows, lit in the dark hours."""
    glass = rgb((1.0, 0.85, 0.45)) if view.time in ("night", "sunset") else mix(wall, rgb((0.9, 0.95, 1)), 0.5)
    for y in np.arange(roof + 0.014, view.horizon - 0.018, 0.026):
        for x in np.arange(left + 0.010, left + width - 0.014, 0.020):
            if random.random() < 0.55:
                painter.rectangle(x, y, x + 0.010, y + 0.013, glass, 0.95)


def islands(painter, view, random):
    """Two rows of low green islands."""
    size, horizon, x = painter.size, view.horizon, painter.columns
    green = rgb((0.26, 0.50, 0.26))
    for depth in (0.5, 0.2):
        for _ in range(2):
            cx = random.uniform(0.1, 0.9)
            width = random.uniform(0.12, 0.24)
            height = random.uniform(0.05, 0.13)
            away = np.clip(np.abs(x - cx) / width, 0, 1)
            outline = horizon + 0.004 - height * (1 - away ** 2) * (0.6 + 0.6 * noise1(random, size, 8, 3))
            outline = np.where(away < 1, outline, horizon + 0.02).astype(F)
            down = np.clip((painter.y - outline[None]) / height, 0, 1)
            painter.below(outline, blend(lit(view, green * 1.2, depth), lit(view, green * 0.55, depth), down))


PAINTERS = {
    "snowy mountains": mountains, "mountains": mountains, "volcano": volcano, "hills": hills, "dunes": dunes,
    "forest": forest, "mesas": mesas, "city": city, "islands": islands,
}
