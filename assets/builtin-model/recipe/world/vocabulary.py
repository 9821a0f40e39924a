"""The words of the world: what a scene can hold."""

import numpy as np

TIMES = ["dawn", "day", "sunset", "night"]
TERRAIN = ["snowy mountains", "mountains", "hills", "dunes", "forest", "mesas", "city", "islands", "volcano"]
GROUND = ["lake", "sea", "meadow", "desert", "snow field", "flower field"]
SKYW = ["clear", "clouds", "storm", "aurora", "fog", "rainbow", "snowfall", "stars"]
BODY = ["none", "sun", "moon", "crescent moon", "two moons", "three moons", "ringed planet"]
FLOORS = ["wooden floor", "checkered floor", "marble floor", "grass", "sand", "snow", "water", "stone floor"]
SOLIDS = ["sphere", "cube", "cylinder", "cone", "pyramid"]
MATS = ["matte", "shiny", "metal"]
PROPS = ["house", "pine trees", "trees", "cherry trees", "sailboat", "lighthouse", "balloon", "cactus", "castle"]

WET = ("lake", "sea")
FLOWERS = ["red", "yellow", "pink", "purple", "white", "orange", "blue"]


def moons_in(body):
    """How many discs a body draws."""
    return {"none": 0, "two moons": 2, "three moons": 3}.get(body, 1)


def pick(random, options, weights=None):
    """One of the options, drawn with these weights."""
    p = None if weights is None else np.asarray(weights, float) / np.sum(weights)
    return options[int(random.choice(len(options), p=p))]
