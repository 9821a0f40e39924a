"""Sun, moons and planets."""
import numpy as np

from .palette import COL, WHITE, mix, plane, rgb

SUNS = {"dawn": (1, 0.90, 0.52), "day": (1, 0.90, 0.34), "sunset": (1, 0.78, 0.26)}
CRATERS = ((0.9, 0.50, 0.26), (2.6, 0.38, 0.20), (4.2, 0.55, 0.17), (5.4, 0.30, 0.14))  # angle, distance, size
FLATNESS = 0.26  # of a planet's ring


def paint_bodies(painter, view, random):
    """Paints every body where the layout put it."""
    for cx, cy, radius in view.bodies:
        PAINTERS.get(view.body, paint_moon)(painter, view, random, cx, cy, radius)


def paint_sun(painter, view, random, cx, cy, radius):
    """A glowing disc within two rings, which no moon has."""
    colour = rgb(SUNS[view.time])
    distance2 = (painter.x - cx) ** 2 + (painter.y - cy) ** 2
    glow = 0.45 * np.exp(-distance2 / (2 * (radius * 2.4) ** 2)) + 0.25 * np.exp(-distance2 / (2 * (radius * 6) ** 2))
    painter.over(glow, mix(colour, WHITE, 0.25))
    painter.disc(cx, cy, radius * 1.9, colour, 0.22)
    painter.disc(cx, cy, radius * 1.42, colour, 0.34)
    painter.disc(cx, cy, radius, colour)
    painter.disc(cx, cy, radius * 0.72, mix(colour, rgb((1, 1, 0.94)), 0.55), 0.75)


def moonlight(painter, view, cx, cy, radius):
    """The body's colour, after painting its halo."""
    name, night = view.scene["bodycol"], view.time == "night"
    if name:
        colour = rgb(COL[name]) * 0.86 + 0.10
    else:
        colour = rgb((0.97, 0.96, 0.90)) if night else rgb((0.98, 0.98, 1.0))
    distance2 = (painter.x - cx) ** 2 + (painter.y - cy) ** 2
    painter.over((0.32 if night else 0.12) * np.exp(-distance2 / (2 * (radius * 1.9) ** 2)), colour)
    return colour


def paint_moon(painter, view, random, cx, cy, radius):
    """A full moon with craters."""
    colour = moonlight(painter, view, cx, cy, radius)
    painter.disc(cx, cy, radius, colour, 1.0, (-0.6, -0.8, 0.07))
    for angle, distance, size in CRATERS:
        angle += random.uniform(-0.5, 0.5)
        away = radius * distance
        painter.disc(cx + away * np.cos(angle), cy + away * np.sin(angle), radius * size, colour * 0.80, 0.85)


def paint_crescent(painter, view, random, cx, cy, radius):
    """A disc from which another is cut."""
    colour = moonlight(painter, view, cx, cy, radius)
    offset = radius * 0.5 * (-1 if view.side >= 0 else 1)
    window = painter.window(cx - radius, cy - radius, cx + radius, cy + radius)
    x, y = painter.grid(window)
    disc = radius - np.sqrt((x - cx) ** 2 + (y - cy) ** 2)
    bite = radius * 0.88 - np.sqrt((x - cx - offset) ** 2 + (y - cy + radius * 0.18) ** 2)
    disc = np.clip(disc * painter.size + 0.5, 0, 1)
    bite = np.clip(bite * painter.size + 0.5, 0, 1)
    painter.over(disc * (1 - bite), colour, window)


def paint_planet(painter, view, random, cx, cy, radius):
    """A banded planet in a tilted ring."""
    colour = moonlight(painter, view, cx, cy, radius)
    tilt = random.uniform(-0.42, 0.42)
    cos, sin = np.cos(tilt), np.sin(tilt)
    reach = radius * 2.2
    window = painter.window(cx - reach, cy - reach, cx + reach, cy + reach)
    x, y = painter.grid(window)
    x, y = x - cx, y - cy
    along = x * cos + y * sin
    across = -x * sin + y * cos
    orbit = np.sqrt(along * along + (across / FLATNESS) ** 2) / radius
    inner = np.clip((orbit - 1.32) * radius * painter.size * 0.5, 0, 1)
    ring = inner * np.clip((2.1 - orbit) * radius * painter.size * 0.5, 0, 1) * 0.92
    pale = np.clip(colour * 0.4 + 0.56, 0, 1)
    behind = across < 0
    painter.over(ring * behind, pale, window)
    globe = np.clip((radius - np.sqrt(x * x + y * y)) * painter.size + 0.5, 0, 1)
    bands = 0.90 + 0.10 * np.sin(across / radius * 9)
    shade = np.clip(1.04 + 0.28 * (x * -0.6 + y * -0.8) / radius, 0.3, 1.25)
    painter.over(globe, np.clip(plane(colour) * bands * shade, 0, 1), window)
    painter.over(ring * (~behind), pale, window)


PAINTERS = {"sun": paint_sun, "crescent moon": paint_crescent, "ringed planet": paint_planet}
