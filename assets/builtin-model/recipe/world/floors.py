"""Patterns of the still life's floors: colour planes [3, H, W] from floor coordinates x and z [H, W]."""
import numpy as np

from .palette import F, blend, plane, rgb

PLAIN = {
    "grass": (0.34, 0.60, 0.24), "sand": (0.92, 0.74, 0.47), "snow": (0.93, 0.95, 1.0), "water": (0.08, 0.32, 0.46),
}
GLOSS = {"marble floor": 0.22, "water": 0.75, "wooden floor": 0.10, "checkered floor": 0.14}
# What solids see of the floor in their reflections.
AVERAGE = {
    "wooden floor": (0.55, 0.36, 0.2), "checkered floor": (0.45, 0.45, 0.45), "marble floor": (0.8, 0.8, 0.82),
    "stone floor": (0.5, 0.5, 0.5), "grass": (0.3, 0.5, 0.2), "sand": (0.85, 0.68, 0.42), "snow": (0.9, 0.92, 0.98),
    "water": (0.1, 0.3, 0.42),
}
# How far from the hour's coloured light: pale floors would look like others.
NEUTRAL = {"snow": 0.6, "marble floor": 0.4}


def floor_colour(floor, x, z):
    """The floor's own colour at each point."""
    return PATTERNS.get(floor, plain)(floor, x, z)


def hashed(x, scale):
    """A number 0..1 that looks random, from integers."""
    return (np.sin(x) * scale) % 1


def checkered(floor, x, z):
    """Dark and light squares."""
    square = (np.floor(x * 1.1 + 0.5) + np.floor(z * 1.1)) % 2
    return blend(rgb((0.13, 0.13, 0.16)), rgb((0.92, 0.91, 0.88)), square)


def wooden(floor, x, z):
    """Planks that run away from the eye, with grain."""
    tone = hashed(np.floor(x * 1.5) * 12.9898, 43758.5453)
    grain = 0.5 + 0.5 * np.sin((x * 1.5 % 1) * 9 + np.sin(z * 1.1 + tone * 20) * 2 + tone * 30)
    colour = blend(rgb((0.50, 0.30, 0.16)), rgb((0.74, 0.49, 0.28)), 0.55 * tone + 0.45 * grain)
    gap = np.abs((x * 1.5 % 1) - 0.5) > 0.47
    return colour * np.where(gap, F(0.55), F(1))[None]


def marble(floor, x, z):
    """Pale stone with folded veins."""
    fold = 2.2 * np.sin(x * 0.9 + 1.3)
    vein = np.abs(np.sin(x * 1.3 + z * 0.9 + fold + 1.6 * np.sin(z * 1.7 + x * 0.6) + 3))
    return blend(rgb((0.62, 0.64, 0.70)), rgb((0.94, 0.94, 0.95)), np.clip(vein * 2.2, 0, 1))


def stone(floor, x, z):
    """Flagstones in shifted rows."""
    row = np.floor(z * 1.0)
    shifted = x * 0.8 + 0.5 * (row % 2)
    tone = hashed(np.floor(shifted) * 7.1 + row * 13.7, 4375.85)
    gap = (np.abs((shifted % 1) - 0.5) > 0.465) | (np.abs((z % 1) - 0.5) > 0.46)
    return blend(rgb((0.42, 0.42, 0.46)), rgb((0.62, 0.60, 0.60)), tone) * np.where(gap, F(0.6), F(1))[None]


def plain(floor, x, z):
    """One colour with soft unevenness."""
    wave = 0.5 + 0.25 * np.sin(x * 2.1 + 1.7 * np.sin(z * 0.8)) + 0.25 * np.sin(z * 2.7 + 1.3 * np.sin(x * 1.1 + 2))
    return plane(rgb(PLAIN[floor])) * (0.86 + 0.2 * wave)[None]


PATTERNS = {"checkered floor": checkered, "wooden floor": wooden, "marble floor": marble, "stone floor": stone}
