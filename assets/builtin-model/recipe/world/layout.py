"""Where bodies and the rainbow go, so that nothing hides them.

What stands before the sky is painted once, small, on an empty picture, and its outline measured. Noise draws the
same numbers at any size, so the outline holds for the picture too.
"""
import numpy as np

from .painter import Painter
from .props import paint_prop
from .solids import frame
from .terrain import paint_terrain
from .view import View
from .vocabulary import moons_in

SIZE = 48
COLUMNS = (np.arange(SIZE) + 0.5) / SIZE
EMPTY = -10  # far from any colour, so that half-covered pixels count as covered
RADII = {
    "sun": (0.062, 0.095), "moon": (0.068, 0.105), "crescent moon": (0.08, 0.115), "ringed planet": (0.068, 0.092),
    "two moons": (0.056, 0.08), "three moons": (0.056, 0.08),
}
SIDES = {-1: (0.13, 0.33), 0: (0.40, 0.60), 1: (0.67, 0.87)}


def skyline(scene):
    """How high terrain, prop and solids reach: y of their top in each of the columns."""
    view = View(scene, measuring=True)
    painter = Painter(SIZE)
    painter.image[:] = EMPTY
    paint_terrain(painter, view, view.stream("land"))
    paint_prop(painter, view)
    covered = (painter.image[0] > EMPTY / 2) | (painter.y > view.horizon)
    top = covered.argmax(0) / SIZE
    for solid in scene.get("objs", []):
        left, roof, right, _ = frame(solid, view.horizon)
        behind = (painter.columns > left - 0.02) & (painter.columns < right + 0.02)
        top[behind] = np.minimum(top[behind], roof - 0.02)
    return top


def arrange(view):
    """Fills in the view's skyline, bodies, arc and light."""
    random = view.stream("layout")
    if view.body != "none" or view.sky in ("clouds", "storm", "rainbow"):
        view.skyline = skyline(view.scene)
    if view.sky == "rainbow":
        radius = random.uniform(0.56, 0.70)
        view.arc = (random.uniform(0.36, 0.64), random.uniform(0.07, 0.12) + radius, radius)
    count = moons_in(view.body)
    for i in range(count):
        sector = SIDES[view.side] if count == 1 else (i / count + 0.02, (i + 1) / count - 0.02)
        view.bodies.append(place(view, random, sector))
    if count == 1:
        view.light_x = view.bodies[0][0]


def place(view, random, sector):
    """(x, y, radius) for a body between the sector's two x: the first of forty tries with room, or the best."""
    planet = view.body == "ringed planet"
    rising = view.body == "sun" and view.time in ("dawn", "sunset") and view.sky != "fog"
    ceiling = view.horizon - 0.24 if view.sky == "fog" else 1
    radius = random.uniform(*RADII[view.body])
    best = None
    for attempt in range(40):
        if attempt and attempt % 10 == 0:
            radius *= 0.86
        if attempt == 30 and moons_in(view.body) > 1:
            sector = (0.08, 0.92)
        wide, high = radius * (2.1 if planet else 1.0), radius * (1.25 if planet else 1.0)
        x = float(np.clip(random.uniform(*sector), wide + 0.015, 1 - wide - 0.015))
        u = random.random()
        lowest = view.skyline[np.abs(COLUMNS - x) < wide + 0.02].min() - high * (0.7 if rising else 1.05)
        lowest = min(lowest, ceiling)
        highest = high + 0.02
        y = lowest - 0.12 * u if rising else highest + (min(lowest, view.horizon * 0.5) - highest) * u
        room = min(lowest - highest, y - highest + 0.01)
        for other_x, other_y, other_radius in view.bodies:
            room = min(room, np.hypot(x - other_x, y - other_y) - other_radius - radius - 0.03)
        if view.arc:
            room = min(room, beside_arc(view.arc, x, y) - wide - 0.06, 0)
        if best is None or room > best[0]:
            best = (room, x, max(y, high + 0.01), radius)
        if room >= 0:
            break
    return best[1:]


def beside_arc(arc, x, y):
    """How far a point lies from the middle of the rainbow's band."""
    cx, cy, outer = arc
    return abs(np.hypot(x - cx, y - cy) - outer + 0.045)
