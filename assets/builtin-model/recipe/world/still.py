"""The still life: solids on a floor, cast by rays at twice the picture's size."""
import numpy as np

from .floors import AVERAGE, GLOSS, NEUTRAL, floor_colour
from .palette import COL, F, TRUE, mix, plane, rgb
from .sky import gradient
from .solids import EYE, FOCAL, frame, intersect, normal

SAMPLES = 2
NOTHING, FLOOR = -1, 0  # what a ray meets; solids count from 1
FAR_FLOOR = 60
MIRRORS = ("water", "marble floor", "checkered floor", "wooden floor")  # floors that reflect the solids

GLOSSES = {"matte": 0.02, "shiny": 0.18, "metal": 0.66}
KEY = {"dawn": (1.0, 0.80, 0.66), "day": (1.0, 0.97, 0.90), "sunset": (1.0, 0.80, 0.66), "night": (0.56, 0.60, 0.80)}
EXPOSURE = {"dawn": 0.92, "day": 0.98, "sunset": 0.95, "night": 0.94}
ELEVATION = {"dawn": 0.55, "day": 1.1, "sunset": 0.5, "night": 0.8}


class Lights:
    """Colours [3] of direct and ambient light: on floors (key, ambient) and on solids (neutral, soft).

    Floors take the light's colour; solids only a little of it, and never stand in the dark.
    """

    def __init__(self, view):
        """From the hour, the weather and the sky's colours."""
        night, veiled = view.time == "night", view.sky in ("storm", "fog")
        self.key = rgb(KEY[view.time]) * (0.55 if veiled else 1.0)
        sky = view.top * 0.45 + view.middle * 0.35 + 0.18
        self.ambient = sky * (0.75 if night else 0.62) + (0.07 if night else 0.03)
        exposure = EXPOSURE[view.time] * (0.88 if veiled else 1.0)
        self.neutral = exposure * rgb(TRUE[view.time]) / max(TRUE[view.time])
        self.soft = mix(self.neutral * 0.55, self.ambient, 0.12)


class Hits:
    """What each ray meets, in the rows from first down: who [H, W] and the surface there.

    point, normal, ray: tuples of three [H, W]. colour [3, H, W], gloss and metal [H, W].
    """

    def __init__(self, view, size):
        """Casts size x size rays at the scene."""
        solids = view.scene["objs"]
        ray = camera_rays(size, view.horizon)
        distance = np.where(ray[1] < -1e-4, -EYE[1] / np.minimum(ray[1], -1e-4), F(1e9))
        who = np.where(distance < FAR_FLOOR, FLOOR, NOTHING)
        for i, solid in enumerate(solids):
            window = solid_window(solid, view.horizon, size)
            t = intersect(solid, EYE, tuple(axis[window] for axis in ray))
            nearer = t < distance[window]
            distance[window] = np.where(nearer, t, distance[window])
            who[window][nearer] = i + 1
        self.first = int(np.argmax((who >= 0).any(1)))
        self.who = who[self.first:]
        self.ray = tuple(axis[self.first:] for axis in ray)
        self.distance = np.minimum(distance[self.first:], FAR_FLOOR)
        self.point = tuple(start + self.distance * axis for start, axis in zip(EYE, self.ray))
        self.solid = self.who > 0
        self.floor = self.who == FLOOR
        self.find_surface(view.scene["floor"], solids)

    def find_surface(self, floor, solids):
        """Normals, colours and gloss of floor and solids."""
        x, y, z = self.point
        nx, ny, nz = np.zeros_like(x), np.ones_like(x), np.zeros_like(x)
        self.colour = floor_colour(floor, x, z).astype(F)
        self.gloss = np.full_like(x, GLOSS.get(floor, 0.0))
        self.metal = np.zeros_like(x)
        if floor == "water":
            nx += 0.045 * np.sin(z * 5 + np.sin(x * 2) * 1.2)
            nz += 0.05 * np.sin(z * 7 + x * 1.3)
        for i, solid in enumerate(solids):
            mask = self.who == i + 1
            nx[mask], ny[mask], nz[mask] = normal(solid, x[mask], y[mask], z[mask])
            self.colour[:, mask] = rgb(COL[solid["col"]])[:, None]
            self.gloss[mask] = GLOSSES[solid["mat"]]
            self.metal[mask] = solid["mat"] == "metal"
        self.normal = (nx, ny, nz)
        lift = 2e-3  # clear of the surface that the ray leaves
        self.start = (x + nx * lift, y + ny * lift, z + nz * lift)


def dot(a, b):
    """Scalar products of two tuples of three arrays."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def camera_rays(size, horizon):
    """Unit directions (x, y, z), each [size, size]; the camera is level, so the horizon is a row."""
    at = (np.arange(size, dtype=F) + 0.5) / size
    x = ((at - 0.5) / FOCAL)[None, :] * np.ones((size, 1), F)
    y = (-(at - horizon) / FOCAL)[:, None] * np.ones((1, size), F)
    length = np.sqrt(x * x + y * y + 1)
    return x / length, y / length, 1 / length


def solid_window(solid, horizon, size):
    """Slices (rows, columns) that hold the solid's picture."""
    left, top, right, bottom = frame(solid, horizon)
    rows = slice(max(0, int((top - 0.02) * size)), min(size, int((bottom + 0.02) * size) + 1))
    return rows, slice(max(0, int((left - 0.02) * size)), min(size, int((right + 0.02) * size) + 1))


def light_directions(view, size, first):
    """Towards the light, each [H, W]; the samples of a pixel differ, which softens shadows."""
    sample = (np.arange(size) % 2).astype(F)
    across, down = sample[None, :] * 2 - 1, sample[first:][:, None] * 2 - 1
    spread = across * 0.035 + down * 0.018
    x = (-1 if view.light_x < 0.5 else 1) * 0.8 + spread
    y = ELEVATION[view.time] + down * 0.03
    z = -0.55 + 0 * spread
    length = np.sqrt(x * x + y * y + z * z)
    return x / length, y / length, z / length


def shadows(hits, solids, light):
    """Direct light that arrives, 0 or 1, and ambient light left in corners, 0..1; both [H, W]."""
    x, y, z = hits.point
    direct, ambient = np.ones_like(x), np.ones_like(x)
    for solid in solids:
        direct = np.where(intersect(solid, hits.start, light) < 1e8, F(0), direct)
        cx, cy, cz = solid["pos"]
        size = solid["size"]
        if cy - size < 0.2:
            distance2 = ((x - cx) ** 2 + (z - cz) ** 2) / (size * 1.25) ** 2
            ambient = np.where(hits.floor, ambient * (1 - 0.55 * np.exp(-distance2 * 1.1)), ambient)
    return direct, np.where(hits.solid, 0.62 + 0.38 * np.clip(y / 0.8, 0, 1), ambient)


def reflections(view, hits, lights, reflected):
    """What glossy surfaces mirror: sky, floor, and on flat floors the solids. Planes [3, H, W]."""
    floor, rises = view.scene["floor"], reflected[1]
    sky = gradient(view, np.clip(1 - rises, 0, 1)[None])
    below = rgb(AVERAGE[floor]) * (lights.key * 0.55 + lights.ambient * 0.6)
    below = mix(plane(view.low) * 0.9, plane(below), np.clip(-rises * 4, 0, 1)[None])
    mirrored = np.where((rises < 0)[None], below, sky)
    if floor in MIRRORS:
        for solid in view.scene["objs"]:
            seen = hits.floor & (intersect(solid, hits.start, reflected) < 1e8)
            colour = plane(rgb(COL[solid["col"]])) * plane(lights.neutral * 0.45 + lights.soft * 0.6)
            mirrored = np.where(seen[None], colour, mirrored)
    grey = mirrored.mean(0, keepdims=True)
    neutral = np.where(hits.solid[None], F(0.82), F(0))  # or solids would wear the sky's colour
    return mix(mirrored, grey * 0.72 + 0.28, neutral)


def shade(view, hits, size):
    """The colour of floor and solids [3, H, W]."""
    lights = Lights(view)
    light = light_directions(view, size, hits.first)
    direct, ambient = shadows(hits, view.scene["objs"], light)
    neutral = np.where(hits.solid[None], F(1), F(NEUTRAL.get(view.scene["floor"], 0)))
    key = plane(lights.key) + plane(lights.neutral - lights.key) * neutral
    fill = plane(lights.ambient) + plane(lights.soft - lights.ambient) * neutral
    facing = np.clip(dot(hits.normal, light), 0, 1) * direct
    strength = np.where(hits.solid, F(0.72), F(0.95))
    upward = 0.65 + 0.35 * hits.normal[1]
    colour = hits.colour * (key * (facing * strength)[None] + fill * (upward * ambient)[None])

    incidence = dot(hits.ray, hits.normal)
    reflected = tuple(ray - 2 * incidence * axis for ray, axis in zip(hits.ray, hits.normal))
    mirrored = reflections(view, hits, lights, reflected)
    grazing = (1 - np.clip(-incidence, 0, 1)) ** 4
    rim = grazing * np.where(hits.gloss > 0.05, F(0.6), F(0.08))
    gloss = np.clip(hits.gloss + (1 - hits.gloss) * rim, 0, 1)
    tint = mix(np.ones_like(hits.colour), np.clip(hits.colour * 1.2 + 0.03, 0, 1), hits.metal[None])
    kept = 1 - gloss[None] * np.where(hits.metal > 0, F(0.85), F(0.9))[None]
    colour = colour * kept + mirrored * tint * gloss[None]

    half = tuple(axis - ray for axis, ray in zip(light, hits.ray))
    length = np.sqrt(dot(half, half))
    glance = np.clip(dot(hits.normal, half) / length, 0, 1)
    soft_spot = np.where(hits.gloss > 0.01, glance ** 12 * F(0.10), F(0))
    spot = np.where(hits.gloss > 0.15, glance ** 60 * F(0.9), soft_spot)
    colour = colour + key * (direct * spot * hits.solid)[None]

    haze = np.clip((hits.distance - 9) / 30, 0, 1) * hits.floor.astype(F) * (1.3 if view.sky == "fog" else 1)
    return mix(colour, plane(view.low * 0.92), np.clip(haze, 0, 1)[None])


def paint_still(painter, view):
    """Casts the scene's solids and floor over what is painted."""
    size = painter.size * SAMPLES
    image = np.repeat(np.repeat(painter.image, SAMPLES, 1), SAMPLES, 2)
    hits = Hits(view, size)
    rows = image[:, hits.first:]
    rows[:] = np.where((hits.who >= 0)[None], np.clip(shade(view, hits, size), 0, 1), rows)
    grid = image.reshape(3, painter.size, SAMPLES, painter.size, SAMPLES)
    painter.image = grid.mean((2, 4)).astype(F)
