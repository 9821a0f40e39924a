"""One command for each stage: `python -m recipe.run STAGE WORK [--minutes N] [--small-minutes N] [--count N]`.

Stages in order: render, tokenizer, vae (once for each phase), latents, unet, export, evaluate. Each reads what
the one before left in WORK; vae and unet resume from their checkpoints, or begin with an exported model (--start).
"""
import argparse
from pathlib import Path

import torch

from . import evaluate, export, pictures, tokenizer, unet, vae


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=["render", "tokenizer", "vae", "latents", "unet", "export", "evaluate"])
    parser.add_argument("work", type=Path)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--small-minutes", type=float, default=0)
    parser.add_argument("--count", type=int, default=44_000)
    parser.add_argument("--size", type=int, choices=[128, 256], default=128, help="edge of the pictures that are rendered")
    parser.add_argument("--first", type=int, default=0, help="the first seed that is rendered")
    parser.add_argument("--small", action=argparse.BooleanOptionalAction, default=True, help="code copies of half the size too")
    parser.add_argument("--hold", type=float, default=0.5, help="share of the time before the learning rate falls")
    parser.add_argument("--phase", choices=list(vae.PHASES), default="boot", help="of the autoencoder")
    parser.add_argument("--start", type=Path, help="an exported model's folder to go on from, where WORK has no checkpoint")
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    asked.work.mkdir(parents=True, exist_ok=True)
    if asked.stage == "render":
        pictures.render(asked.work / "train", asked.size, asked.count, asked.first)
    elif asked.stage == "tokenizer":
        tokenizer.train(asked.work / "tok")
    elif asked.stage == "vae":
        vae.train(asked.work, asked.minutes, asked.phase, asked.start)
    elif asked.stage == "latents":
        unet.latents(asked.work, [(asked.work / "train.npy", asked.first)], small=asked.small)
    elif asked.stage == "unet":
        unet.train(asked.work, asked.minutes, asked.small_minutes, asked.start, asked.hold)
    elif asked.stage == "export":
        export.main(asked.work)
    else:
        evaluate.main(asked.work)


if __name__ == "__main__":
    main()
