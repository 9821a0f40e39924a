"""The geometry of the still life: solids in front of a camera that looks along +z over a floor at y = 0.

A solid is a dict: shape, col, mat, pos (x, y, z of its centre), size (half of a cube's edge), rot (about y).
Rays and points are tuples of three arrays of one shape, or of scalars.
"""
import numpy as np

from .palette import F

EYE = (0.0, 2.05, -7.4)
FOCAL = 1.68
FAR = F(1e9)
NEAREST = 1e-3

CONE_TOP, CONE_HEIGHT = 1.2, 2.2  # in sizes: above the centre; from base to apex
PYRAMID_TOP, PYRAMID_HEIGHT = 1.25, 2.25
CYLINDER_RADIUS = 0.85
TOPS = {"cone": CONE_TOP, "pyramid": PYRAMID_TOP}


def width(solid):
    """Half of the widest that the solid can look from the front."""
    turn = abs(np.cos(solid["rot"])) + abs(np.sin(solid["rot"]))
    return float(solid["size"] * {"cube": turn, "pyramid": turn, "cylinder": CYLINDER_RADIUS}.get(solid["shape"], 1.04))


def frame(solid, horizon):
    """A box around the solid's picture: left, top, right, bottom in 0..1."""
    x, y, z = solid["pos"]
    size, half = solid["size"], width(solid)
    distance = z - EYE[2]
    near, far = FOCAL / (distance - half), FOCAL / (distance + half)
    high = y - EYE[1] + size * TOPS.get(solid["shape"], 1.02)
    low = y - EYE[1] - size * 1.02
    across = [(x + side) * scale for side in (-half, half) for scale in (near, far)]
    top = horizon - max(high * near, high * far)
    bottom = horizon - min(low * near, low * far)
    return 0.5 + min(across), top, 0.5 + max(across), bottom


def fit(stacks, horizon):
    """Moves stacks of solids back and inwards until the frame holds them whole."""
    for stack in stacks:
        widest = max(stack, key=width)
        half = width(widest)
        x, _, z = widest["pos"]
        reach = 0.62 * half if widest["shape"] == "sphere" else half
        z = max(z, FOCAL * EYE[1] / (0.965 - horizon) + EYE[2] + reach)
        limit = 0.475 / FOCAL * (z - EYE[2] - 0.45 * half) - half
        x = float(np.clip(x, -limit, limit))
        for solid in stack:
            solid["pos"] = (x, solid["pos"][1], float(z))


def turned(solid, x, z):
    """x and z of a direction in the solid's own axes."""
    cos, sin = float(np.cos(solid["rot"])), float(np.sin(solid["rot"]))
    return cos * x - sin * z, sin * x + cos * z


def unturned(solid, x, z):
    """The inverse of turned."""
    cos, sin = float(np.cos(solid["rot"])), float(np.sin(solid["rot"]))
    return cos * x + sin * z, -sin * x + cos * z


def intersect(solid, origin, direction):
    """Distance along the rays to the first hit; FAR where there is none."""
    cx, cy, cz = solid["pos"]
    ox, oy, oz = origin[0] - cx, origin[1] - cy, origin[2] - cz
    dx, dy, dz = direction
    if solid["shape"] in ("cube", "pyramid"):
        ox, oz = turned(solid, ox, oz)
        dx, dz = turned(solid, dx, dz)
    return INTERSECT[solid["shape"]](solid["size"], (ox, oy, oz), (dx, dy, dz))


def hit_sphere(size, origin, direction):
    """A sphere of this radius at the origin."""
    (ox, oy, oz), (dx, dy, dz) = origin, direction
    b = ox * dx + oy * dy + oz * dz
    c = ox * ox + oy * oy + oz * oz - size * size
    root = b * b - c
    t = -b - np.sqrt(np.maximum(root, 0))
    return np.where((root > 0) & (t > NEAREST), t, FAR)


def hit_cube(size, origin, direction):
    """A cube of half edge size, by slabs."""
    (ox, oy, oz), (dx, dy, dz) = origin, direction
    tiny = 1e-7
    ix, iy, iz = 1 / (dx + tiny), 1 / (dy + tiny), 1 / (dz + tiny)
    ax, ay, az = np.abs(ix) * size, np.abs(iy) * size, np.abs(iz) * size
    mx, my, mz = -ix * ox, -iy * oy, -iz * oz
    enter = np.maximum(np.maximum(mx - ax, my - ay), mz - az)
    leave = np.minimum(np.minimum(mx + ax, my + ay), mz + az)
    return np.where((enter < leave) & (enter > NEAREST), enter, FAR)


def hit_pyramid(size, origin, direction):
    """A pyramid by its four sides and its base."""
    (ox, oy, oz), (dx, dy, dz) = origin, direction
    enter = np.full(np.broadcast(ox, dx).shape, -1e9, F)
    leave = np.full_like(enter, 1e9)
    height = PYRAMID_HEIGHT * size
    slope = float(np.hypot(height, size))
    for sx, sz in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        nx, ny, nz = sx * height / slope, size / slope, sz * height / slope
        offset = nx * ox + ny * (oy - PYRAMID_TOP * size) + nz * oz
        facing = nx * dx + ny * dy + nz * dz
        t = -offset / (facing + 1e-9)
        enter = np.where(facing < 0, np.maximum(enter, t), enter)
        leave = np.where(facing >= 0, np.minimum(leave, t), leave)
    facing = -dy
    t = (oy + size) / (facing + 1e-9)
    enter = np.where(facing < 0, np.maximum(enter, t), enter)
    leave = np.where(facing >= 0, np.minimum(leave, t), leave)
    return np.where((enter < leave) & (enter > NEAREST), enter, FAR)


def hit_cylinder(size, origin, direction):
    """An upright cylinder: its mantle and its lid."""
    (ox, oy, oz), (dx, dy, dz) = origin, direction
    radius2 = (size * CYLINDER_RADIUS) ** 2
    a = dx * dx + dz * dz + 1e-9
    b = ox * dx + oz * dz
    c = ox * ox + oz * oz - radius2
    root = b * b - a * c
    t = (-b - np.sqrt(np.maximum(root, 0))) / a
    mantle = np.where((root > 0) & (t > NEAREST) & (np.abs(oy + t * dy) < size), t, FAR)
    t = (size - oy) / (dy + 1e-9)
    inside = (ox + t * dx) ** 2 + (oz + t * dz) ** 2 < radius2
    return np.minimum(mantle, np.where((t > NEAREST) & inside, t, FAR))


def hit_cone(size, origin, direction):
    """An upright cone, without its base."""
    (ox, oy, oz), (dx, dy, dz) = origin, direction
    spread = (1.0 / CONE_HEIGHT) ** 2
    oy = oy - CONE_TOP * size
    a = dx * dx + dz * dz - spread * dy * dy
    b = ox * dx + oz * dz - spread * oy * dy
    c = ox * ox + oz * oz - spread * oy * oy
    root = b * b - a * c
    square = np.sqrt(np.maximum(root, 0))
    nearest = FAR
    for sign in (-1, 1):
        t = (-b + sign * square) / (a + 1e-9)
        y = oy + t * dy
        real = (root > 0) & (t > NEAREST) & (y < 0) & (y > -CONE_HEIGHT * size)
        nearest = np.minimum(nearest, np.where(real, t, FAR))
    return nearest


INTERSECT = {
    "sphere": hit_sphere, "cube": hit_cube, "pyramid": hit_pyramid, "cylinder": hit_cylinder, "cone": hit_cone,
}


def normal(solid, x, y, z):
    """The unit normal at points on the solid's surface."""
    shape, size = solid["shape"], solid["size"]
    cx, cy, cz = solid["pos"]
    x, y, z = x - cx, y - cy, z - cz
    if shape == "sphere":
        return x / size, y / size, z / size
    if shape == "cylinder":
        lid = y > size * 0.999
        radius = size * CYLINDER_RADIUS
        return np.where(lid, F(0), x / radius), lid.astype(F), np.where(lid, F(0), z / radius)
    if shape == "cone":
        radius = np.sqrt(x * x + z * z) + 1e-6
        slope = float(np.hypot(CONE_HEIGHT, 1))
        return x / radius * CONE_HEIGHT / slope, np.full_like(x, 1 / slope), z / radius * CONE_HEIGHT / slope
    u, w = turned(solid, x, z)
    across, along = np.abs(u), np.abs(w)
    if shape == "pyramid":
        slope = float(np.hypot(PYRAMID_HEIGHT, 1))
        sideways = across >= along
        nu = np.sign(u) * sideways * PYRAMID_HEIGHT / slope
        nw = np.sign(w) * (~sideways) * PYRAMID_HEIGHT / slope
        nx, nz = unturned(solid, nu, nw)
        return nx, np.full_like(x, 1 / slope), nz
    upright = np.abs(y)
    sideways = (across >= upright) & (across >= along)
    level = (~sideways) & (upright >= along)
    nx, nz = unturned(solid, np.sign(u) * sideways, np.sign(w) * ~(sideways | level))
    return nx, np.sign(y) * level, nz
