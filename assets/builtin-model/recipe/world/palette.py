"""Colours, and the light that falls on them. A colour is three f32 in 0..1."""
import numpy as np

F = np.float32

# What a caption may name. The hues lie far apart, so that no light turns one into another.
COL = {
    "red": (0.84, 0.08, 0.10), "orange": (0.98, 0.45, 0.03), "yellow": (1.0, 0.87, 0.14), "green": (0.15, 0.60, 0.20),
    "teal": (0.03, 0.66, 0.66), "blue": (0.11, 0.29, 0.90), "purple": (0.49, 0.18, 0.76), "pink": (1.0, 0.52, 0.76),
    "white": (0.96, 0.96, 0.96), "black": (0.07, 0.07, 0.08),
}
COLN = list(COL)

# Top, middle and horizon of the sky.
SKY = {
    "dawn": [(0.38, 0.48, 0.74), (0.86, 0.66, 0.74), (1.0, 0.86, 0.70)],
    "day": [(0.16, 0.44, 0.84), (0.44, 0.70, 0.95), (0.80, 0.92, 1.0)],
    "sunset": [(0.20, 0.13, 0.42), (0.86, 0.32, 0.38), (1.0, 0.74, 0.34)],
    "night": [(0.015, 0.025, 0.09), (0.05, 0.08, 0.22), (0.14, 0.20, 0.40)],
}
STORM = {
    "dawn": [(0.30, 0.31, 0.36), (0.45, 0.45, 0.49), (0.66, 0.63, 0.62)],
    "day": [(0.30, 0.34, 0.39), (0.45, 0.50, 0.55), (0.66, 0.71, 0.74)],
    "sunset": [(0.20, 0.16, 0.28), (0.44, 0.28, 0.38), (0.80, 0.50, 0.40)],
    "night": [(0.02, 0.025, 0.04), (0.06, 0.07, 0.10), (0.13, 0.15, 0.20)],
}

# Light on the land.
LIGHT = {"dawn": (0.98, 0.84, 0.80), "day": (1.0, 1.0, 0.98), "sunset": (0.95, 0.62, 0.50), "night": (0.32, 0.38, 0.60)}

# Light on things whose colour is captioned: nearly neutral, so that the word stays true at any time.
TRUE = {"dawn": (0.99, 0.93, 0.90), "day": (1.0, 1.0, 0.99), "sunset": (0.98, 0.89, 0.83), "night": (0.76, 0.75, 0.80)}

WHITE = np.ones(3, F)
LAMP = (1.0, 0.86, 0.42)


def rgb(colour):
    """A colour as f32 [3]."""
    return np.asarray(colour, F)


def mix(a, b, t):
    """From a (t = 0) to b (t = 1)."""
    return a + (b - a) * t


def plane(colour):
    """A colour [3] as [3, 1, 1], to spread over a picture."""
    return colour[:, None, None]


def blend(a, b, t):
    """Colours [3] a to b by t [H, W]: planes [3, H, W]."""
    return mix(plane(a), plane(b), t[None])


def lit(view, colour, depth):
    """The colour in the light of the hour, faded by depth 0..1 towards the horizon's haze."""
    colour = rgb(colour) * rgb(LIGHT[view.time])
    if view.sky == "storm":
        colour = mix(colour, np.full(3, colour.mean(), F), 0.35) * 0.85
    haze = depth if view.sky != "fog" else min(1, depth * 1.1 + 0.16)
    return mix(colour, view.low * 0.92, haze)


def faithful(view, colour):
    """The colour in light that leaves its name true."""
    return np.clip(rgb(colour) * rgb(TRUE[view.time]) * (0.9 if view.sky == "storm" else 1), 0, 1)


def near(view, colour):
    """The colour of something in the foreground: half-way out of the hour's light."""
    return mix(lit(view, colour, 0.0), rgb(colour), 0.40 if view.time == "night" else 0.22)
