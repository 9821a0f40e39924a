"""The land before the horizon: water, which mirrors what is already painted, or soil."""
import numpy as np

from .noise import noise1, noise2
from .palette import COL, F, LIGHT, WHITE, blend, faithful, lit, mix, plane, rgb
from .vocabulary import FLOWERS, WET

WATER = {"lake": (0.12, 0.36, 0.50), "sea": (0.05, 0.34, 0.52)}
SOIL = {
    "meadow": (0.40, 0.64, 0.24), "desert": (0.92, 0.72, 0.44), "snow field": (0.93, 0.96, 1.0),
    "flower field": (0.36, 0.60, 0.25),
}


def paint_ground(painter, view, random):
    """Paints the scene's ground from the horizon down."""
    first = int(round(view.horizon * painter.size))
    rows = painter.size - first
    down = ((np.arange(rows) + 0.5) / rows)[:, None].astype(F)
    if view.scene["ground"] in WET:
        paint_water(painter, view, random, first, down)
    else:
        paint_soil(painter, view, random, first, down)


def paint_water(painter, view, random, first, down):
    """Mirrors the picture above row first with ripples; down [rows, 1] is 0 at the horizon and 1 at the bottom."""
    size, rows, lake = painter.size, len(down), view.scene["ground"] == "lake"
    image = painter.image
    distance = (np.arange(rows) + 0.5) * (1.0 if lake else 0.9)
    ripple = np.sin((np.log(down + 0.06) * 34)) * down[:, 0][:, None] * (2.2 if lake else 4.5) * size / 256
    source = first - 1 - distance[:, None] - np.round(ripple)
    source = np.clip(source, 0, max(first - 1, 0)).astype(int)[:, 0]
    mirrored = image[:, source, :]
    sway = (noise2(random, size, 3, 24, 2)[:rows] - 0.5) * 2
    shift = np.round(sway * down * (5 if lake else 11) * size / 256).astype(int)
    columns = np.clip(np.arange(size)[None, :] + shift, 0, size - 1)
    mirrored = np.take_along_axis(mirrored, np.broadcast_to(columns[None], mirrored.shape), 2)
    water = rgb(WATER[view.scene["ground"]]) * rgb(LIGHT[view.time])
    body = 0.25 + 0.35 * down if lake else 0.40 + 0.35 * down
    image[:, first:] = mirrored * 0.94 + (plane(water) - mirrored * 0.94) * body[None]
    waves = noise2(random, size, 4, 40, 2)[:rows]
    crests = np.clip((waves - 0.62) * 9, 0, 1) * (0.10 + 0.16 * down) * (0.8 if lake else 1.4)
    image[:, first:] += crests * (plane(mix(view.low, WHITE, 0.3)) - image[:, first:])
    if len(view.bodies) == 1:
        path = np.exp(-((painter.x - view.light_x) / (0.035 + 0.06 * down)) ** 2)
        path = path * np.clip((waves - 0.42) * 5, 0, 1) * 0.75
        glint = rgb((1, 0.9, 0.7) if view.body == "sun" else (0.85, 0.9, 1))
        image[:, first:] += path * (plane(glint) - image[:, first:])
    image[:, first:first + 1] = mix(image[:, first:first + 1], plane(view.low * 0.8), 0.35)


def paint_soil(painter, view, random, first, down):
    """A gradient with three undulations; flowers or wind marks on some."""
    ground = view.scene["ground"]
    soil = rgb(SOIL[ground])

    def shade(colour, depth):
        """The soil's colour in the hour's light."""
        if ground != "snow field":
            return lit(view, colour, depth)
        return mix(lit(view, colour, depth), faithful(view, colour), 0.55)  # snow stays white, or it reads as sand

    dark = shade(soil * (0.86 if ground == "snow field" else 0.78), 0)
    painter.image[:, first:] = blend(shade(soil, 0.30), dark, down)
    for i in range(3):
        start = view.horizon + (1 - view.horizon) * (0.12 + 0.27 * i)
        outline = start + (noise1(random, painter.size, 2, 2) - 0.5) * 0.10
        crest = shade(soil * (1.04 - 0.10 * i), max(0, 0.2 - 0.1 * i))
        hollow = shade(soil * (0.76 - 0.06 * i), 0)
        painter.below(outline, blend(crest, hollow, np.clip((painter.y - outline[None]) / 0.22, 0, 1)))
    if ground == "flower field":
        paint_flowers(painter, view, random)
    elif ground == "desert":
        bend = noise1(random, painter.size, 3, 2)[None] * 7
        marks = np.sin(np.log(down + 0.1) * 26 + bend) * 0.5 + 0.5
        painter.image[:, first:] *= 1 - 0.07 * marks * down


def paint_flowers(painter, view, random):
    """Dots of the captioned colour, or of two others, larger when near."""
    name = view.scene["flowercol"]
    names = [name, name] if name else random.choice(FLOWERS, 2, replace=False)
    for i in range(130):
        near = random.random() ** 0.7
        y = view.horizon + 0.02 + (1 - view.horizon) * near
        painter.disc(random.random(), y, 0.0035 + 0.010 * near, faithful(view, COL[names[i % 2]]))
