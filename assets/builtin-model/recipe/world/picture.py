"""From a scene to its picture."""
import numpy as np

from .bodies import paint_bodies
from .ground import paint_ground
from .layout import arrange
from .painter import Painter
from .props import paint_prop
from .sky import paint_fog, paint_rainbow, paint_sky, paint_snowfall, sky_colours
from .still import paint_still
from .terrain import paint_terrain
from .view import View


def render(scene, size):
    """The picture of a scene, u8 [size, size, 3]."""
    view = View(scene)
    painter = Painter(size)
    arrange(view)
    random = view.stream("sky")
    view.top, view.middle, view.low = sky_colours(view, random)
    paint_sky(painter, view, random)
    paint_bodies(painter, view, random)
    random = view.stream("land")
    paint_terrain(painter, view, random)
    if view.arc:
        paint_rainbow(painter, view)
    if view.kind == "land":
        paint_ground(painter, view, random)
    if view.sky == "fog":  # behind what stands in front
        paint_fog(painter, view)
    if view.kind == "land":
        paint_prop(painter, view)
    else:
        paint_still(painter, view)
    if view.sky == "snowfall":
        paint_snowfall(painter, view)
    return (np.clip(painter.image, 0, 1) * 255 + 0.5).astype(np.uint8).transpose(1, 2, 0)
