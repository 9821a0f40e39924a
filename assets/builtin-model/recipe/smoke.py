"""Every stage at toy size, in a folder that goes away: `python -m recipe.smoke` (under two minutes)."""
import tempfile
from pathlib import Path

import torch

from . import attributes, evaluate, export, pictures, tokenizer, unet, vae


def main():
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        # What is exported goes to the same temporary place, not over the shipped model.
        export.HERE = evaluate.HERE = work / "out"
        export.HERE.mkdir()
        pictures.render(work / "train", 128, 64, 0)
        tokenizer.train(work / "tok", captions=500, size=700)
        for phase in vae.PHASES:
            vae.train(work, 0.05, phase)
        unet.latents(work, [(work / "train.npy", 0)])
        unet.train(work, 0.2, 0.1, word_minutes=0.05)
        unet.train(work, 0.1, 0.0)
        export.write_folder(work, export.HERE / "model")
        pipe = export.rounded(work)
        export.record_parity(pipe, steps=2)
        export.fit_previews(pipe, count=12, held=4)
        import numpy as np
        reader = attributes.train(np.load(work / "train.npy"), range(64), minutes=0.05)
        samples = evaluate.draw(evaluate.pipeline(), ["green hills at night"] * 4, steps=2)
        assert samples.shape == (4, 128, 128, 3)
        from . import world
        assert attributes.score(reader, samples, [world.scene(i) for i in range(4)])["time"] >= 0
    print("every stage ran")


if __name__ == "__main__":
    main()
