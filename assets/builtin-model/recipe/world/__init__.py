"""The poster world: pictures and captions that are pure functions of a seed.

scene(seed) draws what is to be seen, render(scene, size) paints it, caption(scene, seed) says it. mirrored(scene)
is what the mirrored picture shows. held_out(scene) marks combinations that training never sees.
"""
from .captions import FILLERS, art, caption
from .palette import COL, COLN
from .picture import render
from .scenes import held_out, mirrored, scene
from .vocabulary import BODY, FLOORS, GROUND, MATS, PROPS, SKYW, SOLIDS, TERRAIN, TIMES

__all__ = [
    "BODY", "COL", "COLN", "FILLERS", "FLOORS", "GROUND", "MATS", "PROPS", "SKYW", "SOLIDS", "TERRAIN", "TIMES",
    "art", "caption", "held_out", "mirrored", "render", "scene",
]
