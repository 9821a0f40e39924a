"""A scene made ready for painting, and its streams of random numbers."""
import numpy as np

from .palette import F

# One independent stream for each part, so that measuring one does not disturb another.
STREAMS = {"sky": 5, "land": 6, "prop": 7, "layout": 8, "windows": 9, "weather": 10}


class View:
    """What painters know of the picture.

    horizon: y of the horizon. top, middle, low: colours of the sky. skyline: y of what stands before the sky, in
    columns from left to right (None where nothing asks). bodies: (x, y, radius) of each. arc: the same of the
    rainbow's outer edge, or None. light_x: x that the light comes from. measuring: only outlines matter.
    """

    def __init__(self, scene, measuring=False):
        """Skies and bodies come later, from sky_colours and arrange."""
        self.scene = scene
        self.measuring = measuring
        self.kind = scene["kind"]
        self.time = scene["time"]
        self.sky = scene["sky"]
        self.body = scene["body"]
        self.terrain = scene["terrain"]
        self.horizon = scene["hz"]
        self.side = scene["_side"]
        self.light_x = 0.5 + 0.25 * self.side
        self.top = self.middle = self.low = np.zeros(3, F)
        self.skyline = None
        self.bodies = []
        self.arc = None

    def stream(self, part):
        """A fresh random generator for one part of the picture."""
        return np.random.default_rng((self.scene["seed"], STREAMS[part]))
