"""Renders: pictures of integer seeds, kept as one array."""
import numpy as np

from . import world


def render(path, size, count, first_seed):
    """Writes `count` pictures of `size` pixels to PATH.npy, uint8 [N, H, W, 3]; picture and caption follow from the seed."""
    pictures = np.lib.format.open_memmap(f"{path}.npy", "w+", np.uint8, (count, size, size, 3))
    for i in range(count):
        pictures[i] = world.render(world.scene(first_seed + i), size)
        if i % 1000 == 999:
            print(f"rendered {i + 1} of {count}", flush=True)
    pictures.flush()


def as_tensor(pictures):
    """uint8 [N, H, W, 3] to f32 [N, 3, H, W] in -1..1."""
    import torch
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1
