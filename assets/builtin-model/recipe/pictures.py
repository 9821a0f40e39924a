"""Renders: pictures of integer seeds, kept in chunks WORK/renders/FIRST.npy, uint8 [CHUNK, H, W, 3].

Picture i of a chunk is of seed FIRST + i. A chunk is there whole or not at all, so that a stage which was
stopped goes on with the first one that is missing.
"""
import os

import numpy as np

from . import world
from .clock import say

# Small enough that a stop in the background, where processor time is scarce, loses little.
CHUNK = 250
# Seeds from here on are kept for previews, records and figures: nothing trains on their pictures.
RESERVED = 1_000_000


def render(work, size, count, first_seed, chunk=CHUNK):
    """Renders the chunks of seeds first_seed … first_seed + count - 1 that are not there.

    Raises ValueError where the seeds reach into the reserved ones.
    """
    if first_seed + count > RESERVED:
        raise ValueError(f"seeds from {RESERVED} on are kept for evaluation; take a smaller --first or --count")
    folder = work / "renders"
    folder.mkdir(parents=True, exist_ok=True)
    for first in range(first_seed, first_seed + count, chunk):
        path, length = folder / f"{first:07}.npy", min(chunk, first_seed + count - first)
        if path.exists():
            there = np.load(path, mmap_mode="r").shape
            if there[0] >= length and there[1] == size:
                continue
        pictures = np.stack([world.render(world.scene(first + i), size) for i in range(length)])
        with open(path.with_suffix(".part"), "wb") as file:
            np.save(file, pictures)
        os.replace(path.with_suffix(".part"), path)
        say(f"rendered seeds {first} to {first + length - 1} at {size} px")


def chunks(work):
    """Pairs of the first seed and the pictures of each chunk, in the order of seeds."""
    return [(int(path.stem), np.load(path, mmap_mode="r")) for path in sorted((work / "renders").glob("*.npy"))]


def as_tensor(pictures):
    """uint8 [N, H, W, 3] to f32 [N, 3, H, W] in -1..1."""
    import torch
    return torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1
