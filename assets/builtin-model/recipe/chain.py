"""All stages in the background of other work, for days: `python -m recipe.chain WORK [--model MODEL] …`.

Each round renders and codes some new pictures, trains the denoiser at a constant rate, then the decoder (the encoder
stays as it is, so that codes stay valid), and draws a sheet of samples. After every --milestone minutes of the denoiser,
or where there is a file WORK/finish, a copy of it, WORK/cooled.pt, is trained with a falling rate, exported to
WORK/export and scored; then the rounds go on from where they were. Killed at any time and started again, it loses a
minute or two. Minutes are processor time.
"""
import argparse
import fcntl
import shutil
import sys
from pathlib import Path

import torch

from . import begin, evaluate, export, pictures, unet, vae
from .clock import say

# Renders before the first round and in each that follows.
NEW = 1000
# Where the denoiser's rate stays constant, its minutes have no end.
ENDLESS = 1e9


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--model", type=Path, default=export.HERE / "model", help="the exported model that an empty WORK begins with")
    parser.add_argument("--size", type=int, choices=[128, 256], default=256)
    parser.add_argument("--first", type=int, default=0, help="the first seed that is rendered")
    parser.add_argument("--count", type=int, default=30_000, help="renders, mirrored ones not counted")
    parser.add_argument("--round", type=float, default=8, help="minutes of the denoiser in a round")
    parser.add_argument("--decoder", type=float, default=12, help="minutes of the decoder in all")
    parser.add_argument("--milestone", type=float, default=60, help="minutes of the denoiser between two scored exports")
    parser.add_argument("--cool", type=float, default=10, help="minutes with a falling rate before an export")
    parser.add_argument("--rate", type=float, default=4e-4, help="the denoiser's learning rate before it falls")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    asked.work.mkdir(parents=True, exist_ok=True)
    with open(asked.work / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"another chain is at work in {asked.work}")
        if not (asked.work / "unet.pt").exists():
            begin.begin(asked.work, asked.model)
        say("chain begins at", spent(asked.work, "unet"), "minutes of the denoiser")
        while True:
            if is_due(asked):
                finish(asked)
            else:
                one_round(asked)


def one_round(asked):
    """Some new pictures, some minutes of the denoiser, some of the decoder, a sheet."""
    work = asked.work
    stop = (work / "finish").exists
    wanted = NEW * (1 + int(spent(work, "unet") / asked.round))
    pictures.render(work, asked.size, min(asked.count, wanted), asked.first)
    unet.latents(work, small=False, mirror=True)
    unet.train(work, ENDLESS, stretch=asked.round, stop=stop, hold=1.0, rate=asked.rate)
    vae.train(work, asked.decoder, "whole", stretch=asked.round / 2, stop=stop)
    if not stop():
        evaluate.sheet(work)


def is_due(asked):
    """Whether an export is wanted, or one was begun."""
    last = asked.work / "milestone"
    since = spent(asked.work, "unet") - (float(last.read_text()) if last.exists() else 0)
    return (asked.work / "finish").exists() or (asked.work / "cooled.pt").exists() or since >= asked.milestone


def finish(asked):
    """Trains a copy of the denoiser with a falling rate, exports it and scores it."""
    work, copy = asked.work, asked.work / "cooled.pt"
    if not copy.exists():
        (work / "milestone").write_text(str(spent(work, "unet")))
        shutil.copy(work / "unet.pt", copy.with_suffix(".part"))
        copy.with_suffix(".part").rename(copy)
    hot = float((work / "milestone").read_text())
    unet.train(work, hot + asked.cool, hold=hot / (hot + asked.cool), rate=asked.rate, name="cooled")
    export.main(work, work / "export", "cooled")
    evaluate.sheet(work, "cooled")
    evaluate.main(work, work / "export", reader_minutes=4)
    copy.rename(work / "finished.pt")
    (work / "finish").unlink(missing_ok=True)


def spent(work, name):
    """The minutes that a checkpoint's training has had."""
    return torch.load(work / f"{name}.pt", weights_only=False, mmap=True)["spent"]


if __name__ == "__main__":
    main()
