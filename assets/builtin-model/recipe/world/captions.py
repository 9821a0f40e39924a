"""Captions: what a person might type for a scene."""
import numpy as np

from .vocabulary import pick

TIME_WORDS = {
    "dawn": ["at dawn", "at sunrise", "early morning", "dawn"],
    "day": ["in daylight", "at noon", "daytime", "on a bright day", "day"],
    "sunset": ["at sunset", "at dusk", "sunset", "in the evening"],
    "night": ["at night", "night", "by night", "at midnight"],
}
SKY_WORDS = {
    "clear": ["clear sky"], "clouds": ["clouds", "cloudy sky", "white clouds"],
    "storm": ["stormy sky", "dark storm clouds", "overcast"], "aurora": ["aurora", "northern lights"],
    "fog": ["fog", "mist", "foggy"], "rainbow": ["a rainbow", "rainbow"],
    "snowfall": ["snowing", "falling snow", "snowfall"], "stars": ["stars", "starry sky", "many stars"],
}
GROUND_WORDS = {
    "lake": ["over a lake", "by a lake", "lake"], "sea": ["by the sea", "over the ocean", "sea"],
    "meadow": ["with a green meadow", "meadow", "grassland"], "desert": ["in the desert", "sandy desert", "desert"],
    "snow field": ["with a snowy field", "snowy ground", "snowy field"],
    "flower field": ["with a field of flowers", "flower meadow", "flowers"],
}
TERRAIN_WORDS = {
    "snowy mountains": ["snowy mountains", "snow-capped mountains", "snowy peaks"],
    "mountains": ["mountains", "rocky mountains"], "hills": ["hills", "green hills", "rolling hills"],
    "dunes": ["dunes", "sand dunes"], "forest": ["forest", "a pine forest", "woods"],
    "mesas": ["mesas", "red rock mesas", "a canyon"], "city": ["a city", "city skyline", "skyscrapers"],
    "islands": ["islands", "green islands"],
    "volcano": ["a volcano", "an erupting volcano", "volcano with lava"],
}
PROP_WORDS = {
    "house": ["house", "cottage", "cabin"], "castle": ["castle"], "pine trees": ["pine trees", "fir trees"],
    "trees": ["trees", "green trees"], "cherry trees": ["cherry trees", "cherry blossoms", "pink blossoming trees"],
    "sailboat": ["sailboat", "boat", "sailing boat"], "lighthouse": ["lighthouse"],
    "balloon": ["hot air balloon", "balloon"], "cactus": ["cactus", "cacti"],
}
SOLID_WORDS = {
    "sphere": ["sphere", "ball"], "cube": ["cube", "box"], "cylinder": ["cylinder"], "cone": ["cone"],
    "pyramid": ["pyramid"],
}
MATERIAL_WORDS = {
    "matte": ["", "", "matte "], "shiny": ["shiny ", "glossy ", ""], "metal": ["metal ", "metallic ", "chrome "],
}
FILLERS = ["beautiful", "4k", "highly detailed", "masterpiece", "digital art", "a picture", "illustration", "poster"]
PREPOSITIONS = ("over", "with", "by", "in")  # that grounds begin with
SIDES = {-1: " on the left", 0: " in the middle", 1: " on the right"}
DROPPED = 0.07  # of the details


def art(words):
    """The words with their article."""
    return ("an " if words[0] in "aeiou" else "a ") + words


def caption(scene, seed):
    """A caption: a pure function of scene and seed."""
    text = describe(scene, seed)
    random = np.random.default_rng((seed, 98))
    if random.random() < 0.08:
        text = text + ", " + pick(random, FILLERS)
    if random.random() < 0.04:
        text = pick(random, FILLERS) + ", " + text
    return text


def describe(scene, seed):
    """The caption without ornaments."""
    random = np.random.default_rng((seed, 99))
    time = pick(random, TIME_WORDS[scene["time"]])
    details = sky_details(scene, random)
    if scene["kind"] == "still":
        head = [solids_text(scene, random)]
        details = [floor_text(scene, random), time] + details
        if scene["terrain"] != "none":
            details.append(pick(random, TERRAIN_WORDS[scene["terrain"]]) + pick(random, ["", " in the background"]))
    else:
        head, rest = land_text(scene, random, time)
        details = rest + details
    kept = [detail for detail in details if random.random() > DROPPED]
    random.shuffle(kept)
    return ", ".join(head + kept)


def sky_details(scene, random):
    """Sky and body."""
    details = []
    if scene["skycol"]:
        details.append(scene["skycol"] + " sky")
    if scene["sky"] != "clear":
        details.append(pick(random, SKY_WORDS[scene["sky"]]))
    elif random.random() < 0.25 and not scene["skycol"]:
        details.append("clear sky")
    if scene["body"] != "none":
        text = body_text(scene, random)
        single = "moons" not in scene["body"]
        if scene["_side"] and single and random.random() >= 0.6:
            text += SIDES[scene["_side"]]
        details.append(text)
    return details


def body_text(scene, random):
    """The body, with its colour if it has one."""
    body = scene["body"]
    colour = scene["bodycol"] + " " if scene["bodycol"] else ""
    if body == "sun":
        return pick(random, ["the sun", "sun", "a bright sun"])
    if body == "moon":
        return pick(random, [art(colour + "moon"), art(colour + "full moon")])
    if body == "crescent moon":
        return art(colour + "crescent moon")
    if body in ("two moons", "three moons"):
        return body.replace(" ", " " + colour)
    return pick(random, [art(colour + "ringed planet"), art(colour + "planet with rings")])


def solids_text(scene, random):
    """The solids and how they stand."""
    names = []
    for solid in scene["objs"]:
        material = MATERIAL_WORDS[solid["mat"]][int(random.integers(3))]
        names.append(art(material + solid["col"] + " " + pick(random, SOLID_WORDS[solid["shape"]])))
    relation = scene["rel"]
    if relation == "one":
        return names[0] + ("" if random.random() < 0.45 else SIDES[scene["side"]])
    if relation == "row":
        return f"{names[0]}, {names[1]} and {names[2]}"
    a, b = names[:2]
    if relation == "beside":
        forms = [f"{a} and {b}", f"{a} to the left of {b}", f"{b} to the right of {a}", f"{a} next to {b}"]
        return pick(random, forms)
    if relation == "on":
        return pick(random, [f"{a} on {b}", f"{a} on top of {b}", f"{b} under {a}"])
    if relation == "infront":
        return pick(random, [f"{a} in front of {b}", f"{b} behind {a}"])
    return f"{a} on {b}, {names[2]}" + SIDES[scene["sg"]]


def floor_text(scene, random):
    """The floor, alone or as what the solids stand on."""
    floor = "snowy ground" if scene["floor"] == "snow" else scene["floor"]
    return pick(random, [floor, "on " + (art(floor) if "floor" in floor else floor)])


def land_text(scene, random, time):
    """What the caption begins with, and details that follow."""
    prop = prop_text(scene, random)
    ground = pick(random, GROUND_WORDS[scene["ground"]])
    if scene["flowercol"] and random.random() < 0.8:
        ground = scene["flowercol"] + " flowers"
    first, _, others = ground.partition(" ")
    joined = first in PREPOSITIONS
    rest = []
    if scene["terrain"] == "none":
        head = others if joined else ground
    else:
        head = pick(random, TERRAIN_WORDS[scene["terrain"]])
        if joined:
            head += " " + ground
        else:
            rest.append(ground)
    if random.random() < 0.5:
        head += (" " if time.split(" ")[0] in ("at", "in", "on", "by") else ", ") + time
    else:
        rest.append(time)
    if prop and random.random() < 0.35:
        return [prop, head], rest
    if prop:
        rest.append(prop)
    return [head], rest


def prop_text(scene, random):
    """The prop with colour and side; None without one."""
    if scene["prop"] == "none":
        return None
    words = pick(random, PROP_WORDS[scene["prop"]])
    if scene["propcol"]:
        words = art(scene["propcol"] + " " + words)
    elif not words.endswith("s") and words != "cacti":
        words = art(words)
    if random.random() < 0.4 and scene["propside"]:
        words += SIDES[scene["propside"]]
    return words
