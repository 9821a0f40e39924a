"""Smooth value noise whose random draws do not depend on the picture's size."""
import numpy as np

from .palette import F

_weights = {}


def interpolation(size, cells):
    """Weights [size, cells + 1] that spread cells + 1 grid values smoothly over size pixels."""
    if (size, cells) not in _weights:
        x = (np.arange(size) + 0.5) / size * cells
        cell = np.minimum(x.astype(int), cells - 1)
        t = x - cell
        t = t * t * (3 - 2 * t)
        weights = np.zeros((size, cells + 1), F)
        weights[np.arange(size), cell] = 1 - t
        weights[np.arange(size), cell + 1] = t
        _weights[size, cells] = weights
    return _weights[size, cells]


def noise2(random, size, columns, rows, octaves=3):
    """Noise 0..1 [size, size], coarsest octave of columns x rows cells."""
    total, amplitude, norm = 0, 1.0, 0
    for octave in range(octaves):
        across, down = columns << octave, rows << octave
        grid = random.random((down + 1, across + 1), F)
        total = total + amplitude * (interpolation(size, down) @ grid @ interpolation(size, across).T)
        norm += amplitude
        amplitude *= 0.5
    return (total / norm).astype(F)


def noise1(random, size, cells, octaves=4, gain=0.5):
    """Noise 0..1 [size], coarsest octave of so many cells."""
    total, amplitude, norm = 0, 1.0, 0
    for octave in range(octaves):
        fine = cells << octave
        total = total + amplitude * (interpolation(size, fine) @ random.random(fine + 1, F))
        norm += amplitude
        amplitude *= gain
    return (total / norm).astype(F)
