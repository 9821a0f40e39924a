"""Prompt adherence of the exported model, attribute by attribute, against renders and against chance.

`python -m recipe.evaluate WORK [COUNT]`: trains the reader if WORK/reader.pt is not there, draws COUNT
pictures for captions of new seeds and COUNT/2 for held-out combinations, prints the table and writes
../samples.jpg.
"""
import sys
from pathlib import Path

import numpy as np
import torch

from . import attributes, networks, vae, world
from .export import HERE, SCHEDULER
from .vae import SCALE


def pipeline():
    """The exported model in f32."""
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer
    model = HERE / "model"
    return (CLIPTokenizer.from_pretrained(model / "tokenizer"), CLIPTextModel.from_pretrained(model / "text_encoder").float().eval(),
            UNet2DConditionModel.from_pretrained(model / "unet").float().eval(), AutoencoderKL.from_pretrained(model / "vae").float().eval(),
            DDIMScheduler(**SCHEDULER))


@torch.no_grad()
def draw(pipe, prompts, guidance=3.0, steps=20, seed=0):
    """uint8 [N, H, W, 3], of the model's size."""
    tokenizer, text, unet, autoencoder, scheduler = pipe
    size, pictures = unet.config.sample_size, []
    for first in range(0, len(prompts), 16):
        batch = prompts[first:first + 16]
        ids = lambda texts: tokenizer(texts, padding="max_length", max_length=networks.TOKENS, truncation=True, return_tensors="pt").input_ids
        states = text(torch.cat([ids([""] * len(batch)), ids(batch)])).last_hidden_state
        scheduler.set_timesteps(steps)
        x = torch.randn(len(batch), 4, size, size, generator=torch.Generator().manual_seed(seed + first))
        for t in scheduler.timesteps:
            uncond, cond = unet(torch.cat([x, x]), t, states).sample.chunk(2)
            x = scheduler.step(uncond + guidance * (cond - uncond), t, x).prev_sample
        y = autoencoder.decode(x / SCALE).sample.clamp(-1, 1)
        pictures.append(((y + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy())
    return np.concatenate(pictures)


def reader_of(work):
    """The reader, trained on renders for six minutes where it is not there."""
    reader = attributes.Reader()
    if (work / "reader.pt").exists():
        reader.load_state_dict(torch.load(work / "reader.pt"))
        return reader.eval()
    pictures = np.load(work / "train.npy", mmap_mode="r")
    reader = attributes.train(pictures, range(len(pictures)), minutes=6)
    torch.save(reader.state_dict(), work / "reader.pt")
    return reader


def table(reader, scenes, samples):
    """The three columns."""
    edge = samples.shape[1]
    renders = np.stack([world.render(s, edge) for s in scenes])
    shuffled = np.random.default_rng(0).permutation(len(scenes))
    columns = [attributes.score(reader, p, scenes) for p in (renders, samples, samples[shuffled])]
    return {k: [round(100 * c[k]) if k != "single solids" else c[k] for c in columns] for k in columns[0]}


def main(work, count=96, guidance=3.0):
    torch.set_num_threads(1)
    reader, pipe = reader_of(work), pipeline()
    wanted = [s for s in range(2_000_000, 2_010_000) if not world.held_out(world.scene(s))][:count]
    unseen = [s for s in range(2_000_000, 2_100_000) if world.held_out(world.scene(s))][: count // 2]
    for name, seeds in (("seen combinations", wanted), ("held-out combinations", unseen)):
        scenes = [world.scene(s) for s in seeds]
        prompts = [world.caption(c, s) for c, s in zip(scenes, seeds)]
        samples = draw(pipe, prompts, guidance)
        print(name, len(seeds), "prompts: renders / samples / shuffled captions")
        for k, row in table(reader, scenes, samples).items():
            print(f"  {k:20} {row[0]:5} {row[1]:5} {row[2]:5}")
        if name.startswith("seen"):
            from PIL import Image
            edge = samples.shape[1]
            grid = samples[:48].reshape(6, 8, edge, edge, 3).transpose(0, 2, 1, 3, 4).reshape(6 * edge, 8 * edge, 3)
            Image.fromarray(grid).save(HERE / "samples.jpg", quality=85)
            (HERE / "samples.txt").write_text("\n".join(prompts[:48]) + "\n")
    print("VAE on held-out renders:", round(vae.psnr(pipe[3], vae.held_out(size=pipe[3].config.sample_size)), 2), "dB")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 96)
