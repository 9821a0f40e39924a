"""One command for each stage: `python -m recipe.run STAGE WORK [--minutes N] …`.

Stages in order: render, tokenizer, vae (once for each phase), latents, unet, export, evaluate; or begin, which lays the
checkpoints of an exported model (--model), and then the same without the tokenizer. Each reads what the one before
left in WORK. vae and unet resume from their checkpoints: the same command goes on until its minutes are spent, a
larger number adds some. Minutes are processor time, on a GPU time on the wall; --stretch ends a call early.
"""
import argparse
from pathlib import Path

import torch

from . import begin, evaluate, export, pictures, tokenizer, unet, vae

STAGES = ["begin", "render", "tokenizer", "vae", "latents", "unet", "sheet", "export", "evaluate"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("work", type=Path)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--stretch", type=float, help="at most so many minutes in this call")
    parser.add_argument("--small-minutes", type=float, default=0)
    parser.add_argument("--count", type=int, help="renders (44,000), or prompts that are scored (96)")
    parser.add_argument("--size", type=int, choices=[128, 256], default=128, help="edge of the pictures that are rendered")
    parser.add_argument("--first", type=int, default=0, help="the first seed that is rendered")
    parser.add_argument("--small", action=argparse.BooleanOptionalAction, default=True, help="code copies of half the size too")
    parser.add_argument("--mirror", action="store_true", help="code mirrored pictures too")
    parser.add_argument("--rate", type=float, help="the learning rate before it falls")
    parser.add_argument("--hold", type=float, help="share of the time before the learning rate falls")
    parser.add_argument("--phase", choices=list(vae.PHASES), default="boot", help="of the autoencoder")
    parser.add_argument("--model", type=Path, default=export.HERE / "model", help="the exported model that is begun with")
    parser.add_argument("--name", default="unet", help="the denoiser's checkpoint, WORK/NAME.pt")
    parser.add_argument("--out", type=Path, default=export.HERE, help="where the model and the files beside it are")
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    asked.work.mkdir(parents=True, exist_ok=True)
    given = {k: v for k, v in (("rate", asked.rate), ("hold", asked.hold)) if v is not None}
    if asked.stage == "begin":
        begin.begin(asked.work, asked.model)
    elif asked.stage == "render":
        pictures.render(asked.work, asked.size, asked.count or 44_000, asked.first)
    elif asked.stage == "tokenizer":
        tokenizer.train(asked.work / "tok")
    elif asked.stage == "vae":
        vae.train(asked.work, asked.minutes, asked.phase, asked.stretch, **given)
    elif asked.stage == "latents":
        unet.latents(asked.work, asked.small, asked.mirror)
    elif asked.stage == "unet":
        unet.train(asked.work, asked.minutes, asked.small_minutes, asked.stretch, name=asked.name, **given)
    elif asked.stage == "sheet":
        evaluate.sheet(asked.work, asked.name)
    elif asked.stage == "export":
        export.main(asked.work, asked.out, asked.name)
    else:
        evaluate.main(asked.work, asked.out, asked.count or 96)


if __name__ == "__main__":
    main()
