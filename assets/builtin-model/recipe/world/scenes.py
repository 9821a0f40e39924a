"""Scenes: what a picture shows, drawn from a seed. A scene is a dict of words and numbers.

kind: "land" or "still". time, sky, body, terrain: words. bodycol, skycol, propcol, flowercol: colours or None.
hz: y of the horizon. Land has ground, prop and propside; still lifes have floor, objs (see solids.py) and rel, how
these stand. Sides are -1 left, 0 middle, 1 right; _side is the body's, side the single solid's, sg the third's.
"""
import numpy as np

from .palette import COLN
from .solids import fit
from .vocabulary import BODY, FLOORS, FLOWERS, GROUND, MATS, SOLIDS, TERRAIN, TIMES, WET, moons_in, pick

STILL_LIFES = 0.42
COLOURED_MOONS = 0.35
COLOURED_SKIES = 0.10

# Colours of bodies that the sky of the hour would swallow.
SWALLOWED = {
    "dawn": ("pink", "purple"), "day": ("blue", "teal"), "sunset": ("red", "orange", "pink", "purple"), "night": (),
}
# Colours of buildings that their ground would swallow.
CAMOUFLAGE = {"meadow": ["green"], "flower field": ["green"], "snow field": ["white"]}
BUILDINGS = ("house", "castle", "lighthouse")
COLOURED_PROPS = BUILDINGS + ("balloon", "sailboat")
LOW_TERRAIN = ("none", "hills", "dunes", "islands")


def scene(seed):
    """The scene of a seed."""
    random = np.random.default_rng((seed, 77))
    still = random.random() < STILL_LIFES
    found = {"seed": seed, "kind": "still" if still else "land"}
    draw_sky(found, random)
    if still:
        draw_still(found, random)
    else:
        draw_land(found, random)
    if found["sky"] == "rainbow" and not has_room_beside_rainbow(found):
        found["body"], found["bodycol"] = "none", None
    return found


def has_room_beside_rainbow(found):
    """Whether a body can be seen next to the arc: only the sun over low land."""
    if found["body"] != "sun" or found["kind"] == "still" or found["terrain"] not in LOW_TERRAIN:
        return False
    return found["prop"] not in ("balloon", "castle", "lighthouse", "house")


def draw_sky(found, random):
    """Time, sky, body and their colours."""
    time = found["time"] = pick(random, TIMES, [1, 1.5, 1.4, 1.5])
    if time == "night":
        skies, weights = ["clear", "stars", "aurora", "clouds", "fog", "snowfall"], [1, 3.2, 1.4, 0.8, 0.5, 0.5]
        bodies = [1.2, 0, 1.4, 1.2, 1.3, 0.8, 1]
    else:
        skies, weights = ["clear", "clouds", "storm", "fog", "rainbow", "snowfall"], [2.2, 2.4, 0.8, 0.7, 0.7, 0.6]
        bodies = [2, 3.2, 0.5, 0.3, 0.5, 0.3, 0.7]
    found["sky"] = pick(random, skies, weights)
    found["body"] = pick(random, BODY, bodies)
    if found["sky"] == "storm":
        found["body"] = "none"
    visible = [colour for colour in COLN[:8] if colour not in SWALLOWED[time]]
    found["bodycol"] = None
    if found["body"] == "ringed planet":
        found["bodycol"] = pick(random, visible)
    elif found["body"] not in ("none", "sun") and random.random() < COLOURED_MOONS:
        found["bodycol"] = pick(random, [colour for colour in visible if colour not in ("yellow", "teal")])
    found["skycol"] = None
    if random.random() < COLOURED_SKIES and found["sky"] != "storm":
        found["skycol"] = pick(random, ["pink", "teal", "purple", "orange", "green"])
    if found["skycol"] == found["bodycol"]:
        found["skycol"] = None
    found["_side"] = int(random.integers(-1, 2))


def draw_land(found, random):
    """Terrain, ground and prop."""
    terrain = found["terrain"] = pick(random, TERRAIN + ["none"], [1.6, 1.2, 1.2, 1, 1.2, 0.9, 1, 0.7, 0.7, 0.5])
    only = {"dunes": ["desert"], "islands": ["sea"], "mesas": ["desert", "desert", "lake", "meadow"]}.get(terrain)
    found["ground"] = pick(random, only) if only else pick(random, GROUND, [2, 1.1, 1.4, 0.6, 0.8, 0.9])
    draw_prop(found, random)
    if terrain == "volcano" and found["_side"] == 0:
        found["_side"] = pick(random, [-1, 1])  # clear of the smoke
    tall = found["prop"] not in ("none", "sailboat", "cactus")
    if moons_in(found["body"]) == 1 and tall and found["propside"] == found["_side"]:
        found["propside"] = pick(random, [side for side in (-1, 0, 1) if side != found["_side"]])
    found["flowercol"] = None
    if found["ground"] == "flower field" and random.random() < 0.6:
        found["flowercol"] = pick(random, FLOWERS)
    found["hz"] = float(random.uniform(0.50, 0.62))


def draw_prop(found, random):
    """The prop, a colour that shows, and its side."""
    ground, wet = found["ground"], found["ground"] in WET
    props = ["none", "house", "castle", "pine trees", "trees", "cherry trees", "balloon", "lighthouse"]
    weights = [2.2, 1.1, 0.7, 1.0, 0.8, 0.8, 1.0, 0.7 if wet else 0.25]
    if wet:
        props.append("sailboat")
        weights.append(2.2)
    if ground == "desert":
        props.append("cactus")
        weights.append(2.5)
    prop = pick(random, props, weights)
    colour = None
    if prop in COLOURED_PROPS:
        colours = ["white", "red", "blue", "pink", "black", "orange"] if prop == "castle" else COLN
        colour = pick(random, colours)
    if prop in ("pine trees", "trees") and found["terrain"] == "forest":
        prop = "none"  # green before green
    hidden = list(CAMOUFLAGE.get(ground, [])) if prop in BUILDINGS else []
    if found["time"] == "night":
        hidden.append("black")
    if prop == "balloon" and found["skycol"]:
        hidden.append(found["skycol"])
    if colour in hidden:
        colour = pick(random, [c for c in ["white", "red", "blue", "pink", "orange", "yellow"] if c not in hidden])
    found["prop"], found["propcol"] = prop, colour
    found["propside"] = int(random.integers(-1, 2))


def draw_still(found, random):
    """Background, floor and one to three solids, each of a colour of its own."""
    backgrounds = ["none", "snowy mountains", "mountains", "hills", "forest", "city", "dunes"]
    found["terrain"] = pick(random, backgrounds, [3, 1, 0.7, 0.8, 0.7, 0.7, 0.5])
    found["floor"] = pick(random, FLOORS, [1.3, 1.2, 0.9, 1.1, 1, 0.8, 1, 0.7])
    found["hz"] = float(random.uniform(0.42, 0.48))
    count = pick(random, [1, 2, 3], [1.7, 1.5, 0.6])
    colours = random.choice(len(COLN), 3, replace=False)
    solids = [draw_solid(random, COLN[colours[i]]) for i in range(count)]
    relation = "one"
    if count == 2:
        relation = pick(random, ["beside", "on", "infront"], [1.2, 1.3, 0.6])
    if count == 3:
        relation = pick(random, ["row", "onbeside"], [1, 1])
    found["rel"], found["objs"] = relation, solids
    stacks = ARRANGEMENTS[relation](found, random, solids)
    fit(stacks, found["hz"])
    if relation in ("on", "onbeside") and solids[0]["shape"] != "sphere":  # its corners would hang over the edge
        x, _, z = solids[0]["pos"]
        put(solids[0], x, z, solids[0]["size"] * 0.93, on=solids[1])


def draw_solid(random, colour):
    """A solid without a place."""
    return {
        "shape": pick(random, SOLIDS, [1.4, 1.3, 1, 0.8, 0.8]), "col": colour,
        "mat": pick(random, MATS, [1.2, 1.2, 0.9]), "rot": float(random.uniform(0.15, 1.4)),
    }


def put(solid, x, z, size, on=None):
    """Places a solid on the floor, or on another."""
    ground = 2 * on["size"] if on is not None else 0
    solid["size"] = float(size)
    solid["pos"] = (float(x), float(ground + size), float(z))


def around(random, reach):
    """A number within reach of 0."""
    return random.uniform(-reach, reach)


# Each arrangement places the solids and returns the stacks that move together.

def one(found, random, solids):
    """A single, large solid."""
    found["side"] = int(random.integers(-1, 2))
    x, z = found["side"] * 1.15 + around(random, 0.15), 0.2 + around(random, 0.2)
    put(solids[0], x, z, random.uniform(0.78, 1.05))
    return [solids]


def beside(found, random, solids):
    """The first left of the second."""
    for solid, centre in zip(solids, (-1.08, 1.08)):
        x, z = centre + around(random, 0.1), 0.4 + around(random, 0.25)
        put(solid, x, z, random.uniform(0.62, 0.76))
    return [[solid] for solid in solids]


def stacked(found, random, solids):
    """The first on the second, which is flat."""
    upper, lower = solids
    lower["shape"] = pick(random, ["cube", "cylinder"])
    lower_size, upper_size = random.uniform(0.62, 0.76), random.uniform(0.46, 0.58)
    x = around(random, 0.9)
    z = 0.2 + around(random, 0.2)
    put(lower, x, z, lower_size)
    put(upper, x, z, upper_size, on=lower)
    return [solids]


def in_front(found, random, solids):
    """A small one before a large one, not quite in line."""
    side = pick(random, [-1, 1])
    x = side * 0.55 + around(random, 0.2)
    put(solids[0], x, -0.4, random.uniform(0.44, 0.54))
    x = -side * 0.45 + around(random, 0.2)
    put(solids[1], x, 2.1, random.uniform(1.0, 1.15))
    return [[solid] for solid in solids]


def row(found, random, solids):
    """Three from left to right."""
    for solid, centre in zip(solids, (-1.55, 0, 1.55)):
        x, z = centre + around(random, 0.06), 1.1 + around(random, 0.2)
        put(solid, x, z, random.uniform(0.47, 0.58))
    return [[solid] for solid in solids]


def stacked_beside(found, random, solids):
    """The first on the second, the third beside them."""
    upper, lower, third = solids
    lower["shape"] = pick(random, ["cube", "cylinder"])
    side = found["sg"] = pick(random, [-1, 1])
    put(lower, -side * 1.02, 0.4, 0.6)
    put(upper, -side * 1.02, 0.4, 0.47, on=lower)
    z = 0.4 + around(random, 0.2)
    put(third, side * 1.05, z, random.uniform(0.58, 0.7))
    return [[upper, lower], [third]]


ARRANGEMENTS = {
    "one": one, "beside": beside, "on": stacked, "infront": in_front, "row": row, "onbeside": stacked_beside,
}


def held_out(found):
    """Combinations that training never sees, so that composition can be scored on them."""
    solids = {(solid["col"], solid["shape"]) for solid in found.get("objs", [])}
    if solids & {("teal", "pyramid"), ("pink", "cube"), ("orange", "cone"), ("green", "cylinder")}:
        return True
    if (found["terrain"], found["body"]) in {("volcano", "ringed planet"), ("city", "crescent moon")}:
        return True
    return (found["terrain"], found["sky"]) == ("forest", "aurora")


def mirrored(found):
    """The scene that the mirrored picture shows: sides change, and solids in a row change places."""
    turned = dict(found)
    for side in ("_side", "propside", "side", "sg"):
        if side in turned:
            turned[side] = -turned[side]
    if turned.get("rel") in ("beside", "row"):
        turned["objs"] = turned["objs"][::-1]
    return turned
