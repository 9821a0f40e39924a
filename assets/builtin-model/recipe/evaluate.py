"""Prompt adherence of the exported model, attribute by attribute, against renders and against chance.

It trains the reader if WORK/reader.pt is not there, draws pictures for captions of new seeds and half as many for
held-out combinations, prints the table and writes samples.jpg and samples.txt beside the model.
"""
import time

import numpy as np
import torch
from diffusers import DDIMScheduler
from PIL import Image

from . import attributes, networks, vae, world
from .clock import say
from .export import EXAMPLES, HERE, SCHEDULER, load
from .pictures import chunks
from .vae import RESERVED, SCALE, fold_scale


def pipeline(model):
    """The model exported to that folder, in f32."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer
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


def reader_of(work, minutes):
    """The reader, trained on renders where it is not there."""
    reader = attributes.Reader()
    if (work / "reader.pt").exists():
        reader.load_state_dict(torch.load(work / "reader.pt"))
        return reader.eval()
    reader = attributes.train(chunks(work), minutes)
    vae.write(work / "reader.pt", reader.state_dict())
    return reader


def table(reader, scenes, samples):
    """The three columns."""
    edge = samples.shape[1]
    renders = np.stack([world.render(s, edge) for s in scenes])
    shuffled = np.random.default_rng(0).permutation(len(scenes))
    columns = [attributes.score(reader, p, scenes) for p in (renders, samples, samples[shuffled])]
    percent = lambda share: "-" if np.isnan(share) else round(100 * share)
    return {k: [percent(c[k]) if k != "single solids" else c[k] for c in columns] for k in columns[0]}


def seeds_of(count, unseen=False):
    """Seeds that nothing trains on: of combinations that it sees, or of held-out ones."""
    fit = (s for s in range(2 * RESERVED, 3 * RESERVED) if world.held_out(world.scene(s)) == unseen)
    return [next(fit) for _ in range(count)]


def tiled(pictures, across):
    """Pictures [N, H, W, 3] in rows of `across`; what is left over is left out."""
    down, edge = len(pictures) // across, pictures.shape[1]
    grid = pictures[:down * across].reshape(down, across, edge, edge, 3).transpose(0, 2, 1, 3, 4)
    return Image.fromarray(grid.reshape(down * edge, across * edge, 3))


def sheet(work, name="unet", count=11):
    """Writes WORK/sheets/TIME.png: the pictures that the checkpoint's averaged weights draw of the same prompts each time."""
    tokenizer, text, unet, autoencoder, steps = load(work, name)
    fold_scale(autoencoder)
    prompts = [world.caption(world.scene(s), s) for s in seeds_of(count)] + EXAMPLES[-5:]
    pictures = draw((tokenizer, text, unet, autoencoder, DDIMScheduler(**SCHEDULER)), prompts)
    (work / "sheets").mkdir(exist_ok=True)
    path = work / "sheets" / time.strftime(f"%d-%H%M-{name}-{steps}.png")
    tiled(pictures, 4).save(path)
    (work / "sheets" / "prompts.txt").write_text("\n".join(prompts) + "\n")
    say(f"drew {path}")


def main(work, out=HERE, count=96, guidance=3.0, reader_minutes=6.0):
    """Scores OUT/model."""
    reader, pipe = reader_of(work, reader_minutes), pipeline(out / "model")
    lines = []
    for name, seeds in (("seen combinations", seeds_of(count)), ("held-out combinations", seeds_of(count // 2, unseen=True))):
        scenes = [world.scene(s) for s in seeds]
        prompts = [world.caption(c, s) for c, s in zip(scenes, seeds)]
        samples = draw(pipe, prompts, guidance)
        lines.append(f"{name} {len(seeds)} prompts: renders / samples / shuffled captions")
        lines += [f"  {k:20} {row[0]:>5} {row[1]:>5} {row[2]:>5}" for k, row in table(reader, scenes, samples).items()]
        if name.startswith("seen"):
            tiled(samples[:48], 8).save(out / "samples.jpg", quality=85)
            (out / "samples.txt").write_text("\n".join(prompts[:48]) + "\n")
    lines.append(f"VAE on held-out renders: {vae.psnr(pipe[3], vae.held_out(size=pipe[3].config.sample_size)):.2f} dB")
    (work / "figures.txt").write_text("\n".join(lines) + "\n")
    say("\n".join(lines))
