"""Every stage at toy size, in a folder that goes away: `python -m recipe.smoke` (about two minutes of processor time)."""
import tempfile
from pathlib import Path

import torch

from . import attributes, begin, evaluate, export, pictures, tokenizer, unet, vae, world


def main():
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        first, again = Path(folder) / "first", Path(folder) / "again"
        out = first / "out"
        from_nothing(first)
        out.mkdir()
        export.write_folder(first, out / "model")
        pipe = export.rounded(first)
        export.record_parity(pipe, out, steps=2)
        export.fit_previews(pipe, out, count=12, held=4)
        score(first, out)
        goes_on(again, out / "model")
    says_no_to_reserved_seeds()
    print("every stage ran")


def from_nothing(work):
    """All that a model is made of, at 128 px."""
    tokenizer.train(work / "tok", captions=500, size=700)
    pictures.render(work, 128, 64, 0, chunk=40)
    assert [(first, len(chunk)) for first, chunk in pictures.chunks(work)] == [(0, 40), (40, 24)]
    for phase in vae.PHASES:
        vae.train(work, 0.05, phase)
    unet.latents(work, mirror=True)
    unet.train(work, 0.2, small_minutes=0.1, word_minutes=0.05, stretch=0.1)
    steps = torch.load(work / "unet.pt", weights_only=False)["it"]
    unet.train(work, 0.2, small_minutes=0.1)
    state = torch.load(work / "unet.pt", weights_only=False)
    assert state["it"] > steps and 0.2 <= state["spent"] < 0.3, "the second call did not go on from the first"


def goes_on(work, model):
    """An exported model at 256 px: words, code and weights are kept, and codes stay valid while the decoder learns."""
    begin.begin(work, model)
    pictures.render(work, 256, 8, 500)
    unet.latents(work, small=False)
    codes = work / "codes" / "0000500.pt"
    before = codes.stat().st_mtime_ns
    vae.train(work, 0.02, "whole")
    unet.latents(work, small=False)
    assert codes.stat().st_mtime_ns == before, "the decoder's training changed the encoder"
    unet.train(work, 0.05)
    evaluate.sheet(work, count=3)


def score(work, out):
    """The figures of what was exported, on few pictures."""
    reader = attributes.train(pictures.chunks(work), minutes=0.05)
    samples = evaluate.draw(evaluate.pipeline(out / "model"), ["green hills at night"] * 4, steps=2)
    assert samples.shape == (4, 128, 128, 3)
    rows = evaluate.table(reader, [world.scene(i) for i in range(4)], samples)
    assert all(0 <= share <= 100 for share in rows["time"])
    lands = [scene for scene in map(world.scene, range(40)) if scene["kind"] == "land"][:4]
    assert evaluate.table(reader, lands, samples)["colour of one solid"] == ["-"] * 3, "there is no solid in these"


def says_no_to_reserved_seeds():
    """Nothing trains on the pictures that figures are taken from."""
    try:
        pictures.render(Path("/nonexistent"), 128, 2, pictures.RESERVED - 1)
    except ValueError:
        return
    raise AssertionError("reserved seeds were rendered for training")


if __name__ == "__main__":
    main()
