"""Writes the trained networks as a diffusers folder in f16, with everything the program keeps beside it.

WORK/vae.pt, WORK/unet.pt, WORK/tok (see RECIPE.md) to model/, previews.json, vocabulary.json, parity.safetensors,
parity.json and captions.json in the folder OUT: this recipe's own place, where none is given.
"""
import json
import re
import shutil
from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from safetensors.torch import load_file, save_file
from transformers import CLIPTokenizer

from . import networks, world
from .clock import say
from .vae import SCALE, fold_scale

HERE = Path(__file__).resolve().parents[1]
SCHEDULER = dict(beta_start=0.00085, beta_end=0.02, beta_schedule="scaled_linear", prediction_type="v_prediction",
                 timestep_spacing="trailing", clip_sample=False, set_alpha_to_one=False, steps_offset=0)
EXAMPLES = [
    "a shiny blue cone and a red ball, rainbow, sand, rolling hills, at sunrise", "a volcano by a lake at dusk, stormy sky",
    "a pine forest at dawn, fog, the sun", "mesas in the desert at noon, a green cactus, clear sky",
    "green hills on a bright day, clouds, a red hot air balloon", "a red sphere on a blue cube, wooden floor, sunset",
    "a green cylinder next to a yellow cone, checkered floor, daytime", "sand dunes in the desert at sunset, a ringed planet",
    "city skyline over the ocean at night, aurora", "green islands by the sea at sunset, a white sailboat",
    "snowy mountains over a lake at night, two moons, stars", "a white cottage, flower meadow, at noon, a rainbow",
    "rolling hills at midnight, a crescent moon, many stars",
]
# What diffusers' picture is recorded of.
RECORDED = "green hills on a bright day, clouds, a red hot air balloon"


def load(work, name="unet"):
    """The averaged (EMA) weights of all networks, in f32, of the denoiser's checkpoint WORK/NAME.pt; its steps."""
    tokenizer = CLIPTokenizer.from_pretrained(work / "tok")
    state = torch.load(work / f"{name}.pt", weights_only=False)
    size = state["size"]
    text, unet, vae = networks.text_encoder(tokenizer), networks.unet(size), networks.vae(8 * size)
    with torch.no_grad():
        for parameter, mean in zip(list(unet.parameters()) + list(text.parameters()), state["ema"]):
            parameter.copy_(mean)
    vae.load_state_dict(torch.load(work / "vae.pt", weights_only=False)["ema"])
    return tokenizer, text.eval(), unet.eval(), vae.eval(), state["it"]


def pipeline(work, name="unet"):
    """The trained networks as diffusers' pipeline, in f32, and the denoiser's steps."""
    tokenizer, text, unet, vae, steps = load(work, name)
    fold_scale(vae)
    pipe = StableDiffusionPipeline(
        vae=vae, text_encoder=text, tokenizer=tokenizer, unet=unet, scheduler=DDIMScheduler(**SCHEDULER),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    return pipe, steps


def write_folder(work, out, name="unet"):
    """The pipeline in f16, names as in real repositories."""
    pipe, steps = pipeline(work, name)
    shutil.rmtree(out, ignore_errors=True)
    pipe.to(torch.float16).save_pretrained(out)
    weights = out / "text_encoder/model.safetensors"
    tensors = load_file(weights)
    save_file({k if k.startswith("text_model.") else f"text_model.{k}": v for k, v in tensors.items()}, weights,
              metadata={"format": "pt"})
    shutil.rmtree(out / "tokenizer")
    (out / "tokenizer").mkdir()
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(work / "tok" / name, out / "tokenizer" / name)
    return steps


def rounded(work, name="unet"):
    """The pipeline in f32 on the weights as they were written."""
    pipe, _ = pipeline(work, name)
    for net in (pipe.text_encoder, pipe.unet, pipe.vae):
        net.half().float()
    return pipe


@torch.no_grad()
def record_parity(pipe, out, steps=10, prompt=RECORDED):
    """What diffusers makes of one prompt, for the program's tests."""
    size = pipe.unet.config.sample_size
    noise = torch.randn(1, 4, size, size, generator=torch.Generator().manual_seed(0))
    ids = lambda t: pipe.tokenizer(t, padding="max_length", max_length=networks.TOKENS, truncation=True, return_tensors="pt").input_ids
    cond, uncond = (pipe.text_encoder(ids(t)).last_hidden_state for t in (prompt, ""))
    pipe.scheduler.set_timesteps(steps)
    first = pipe.unet(torch.cat([noise] * 2), pipe.scheduler.timesteps[0], torch.cat([uncond, cond])).sample
    latent = noise
    for t in pipe.scheduler.timesteps:
        u, c = pipe.unet(torch.cat([latent] * 2), t, torch.cat([uncond, cond])).sample.chunk(2)
        latent = pipe.scheduler.step(u + 4.0 * (c - u), t, latent).prev_sample
    picture = (pipe.vae.decode(latent / SCALE).sample[0] / 2 + 0.5).clamp(0, 1)
    tensors = dict(noise=noise, text_embedding=cond, uncond_embedding=uncond, unet_output=first, latent=latent, picture=picture)
    save_file({k: v.contiguous() for k, v in tensors.items()}, out / "parity.safetensors")
    (out / "parity.json").write_text(json.dumps(dict(prompt=prompt, seed=0, steps=steps, guidance_scale=4.0)))
    captions = [world.caption(world.scene(3_000_000 + i), 3_000_000 + i) for i in range(500)]
    rows = [dict(text=c, ids=pipe.tokenizer(c, add_special_tokens=False).input_ids) for c in captions]
    (out / "captions.json").write_text(json.dumps(rows))


def ssim(a, b):
    """Mean structural similarity over 8x8 blocks."""
    block = lambda x: x.reshape(-1, x.shape[-3] // 8, 8, x.shape[-2] // 8, 8, 3).transpose(0, 1, 3, 5, 2, 4).reshape(-1, 64)
    a, b = block(a), block(b)
    ma, mb = a.mean(1), b.mean(1)
    va, vb, cov = a.var(1), b.var(1), ((a - ma[:, None]) * (b - mb[:, None])).mean(1)
    c1, c2 = 0.02 ** 2, 0.06 ** 2
    return float((((2 * ma * mb + c1) * (2 * cov + c2)) / ((ma ** 2 + mb ** 2 + c1) * (va + vb + c2))).mean())


@torch.no_grad()
def fit_previews(pipe, out, count=160, held=32):
    """Ridge regressions from latents (model space) to the decoded pixels, in f64."""
    size = pipe.vae.config.sample_size
    pictures = np.stack([world.render(world.scene(4_000_000 + i), size) for i in range(count)])
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    z = torch.cat([pipe.vae.encode(b).latent_dist.mode() for b in x.split(16)])
    y = torch.cat([pipe.vae.decode(b).sample for b in z.split(16)]).clamp(-1, 1).permute(0, 2, 3, 1).numpy().astype(np.float64)
    z = (z * SCALE).permute(0, 2, 3, 1).numpy().astype(np.float64)
    n, h, w, c = z.shape
    patches = y.reshape(n, h, 8, w, 8, 3).transpose(0, 1, 3, 2, 4, 5).reshape(n, h, w, 192)
    padded = np.pad(z, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    near = np.concatenate([padded[:, dy:dy + h, dx:dx + w] for dy in range(3) for dx in range(3)], axis=-1)

    def solve(inputs, targets):
        a = np.concatenate([inputs, np.ones((*inputs.shape[:-1], 1))], -1)
        flat = a[held:].reshape(-1, a.shape[-1])
        weight = np.linalg.solve(flat.T @ flat + 1e-3 * np.eye(flat.shape[1]), flat.T @ targets[held:].reshape(-1, targets.shape[-1]))
        return weight, a[:held] @ weight

    def quality(drawn):
        drawn = np.clip(drawn, -1, 1)
        mse = (((drawn - y[:held]) / 2) ** 2).reshape(held, -1).mean(1)
        return dict(psnr=round(float((-10 * np.log10(mse)).mean()), 2), ssim=round(ssim(drawn, y[:held]), 4))

    linear, means = solve(z, patches.reshape(n, h, w, 64, 3).mean(3))
    patch, drawn = solve(near, patches)
    upsampled = torch.nn.functional.interpolate(torch.from_numpy(means).permute(0, 3, 1, 2), scale_factor=8, mode="bicubic", align_corners=False)
    whole = drawn.reshape(held, h, w, 8, 8, 3).transpose(0, 1, 3, 2, 4, 5).reshape(held, h * 8, w * 8, 3)
    lists = lambda a: [round(float(v), 5) for v in a]
    (out / "previews.json").write_text(json.dumps(dict(
        linear=dict(weight=[lists(r) for r in linear[:4]], bias=lists(linear[4]), **quality(upsampled.permute(0, 2, 3, 1).numpy())),
        patch=dict(channels=4, downscale=8, weight=lists(patch.reshape(-1)), **quality(whole)))))


def write_vocabulary(out):
    """What the window needs to help with prompts."""
    captions = [world.caption(world.scene(10_000_000 + i), 10_000_000 + i) for i in range(20_000)]
    words = sorted({w for c in captions for w in re.findall(r"[a-z]+", c)})
    articled = lambda s: world.art(s)
    lists = dict(
        terrain=["snowy mountains", "rocky mountains", "green hills", "sand dunes", "a pine forest", "a city", "green islands", "a volcano"],
        water=["over a lake", "by the sea", "with a green meadow", "with a snowy field", "with a field of flowers"],
        time=["at dawn", "at noon", "at sunset", "at night", "in the evening", "at midnight"],
        sky=["clear sky", "white clouds", "dark storm clouds", "fog", "a rainbow", "many stars", "northern lights"],
        body=["the sun", "a full moon", "a crescent moon", "two moons", "three moons", "a ringed planet"],
        solid=[articled(f"{m}{c} {s}") for m in ("", "shiny ", "metallic ") for c in world.COLN for s in ("sphere", "cube", "cone", "cylinder", "pyramid")],
        floor=["wooden floor", "checkered floor", "marble floor", "sand", "grass"])
    templates = ["{terrain} {water} {time}, {sky}", "{terrain} {water}, {body}, {time}", "{terrain} {time}, {sky}, {body}",
                 "{solid}, {floor}, {time}", "{solid} next to {solid}, {floor}, {time}", "{solid}, {sky}, {floor}, {time}"]
    (out / "vocabulary.json").write_text(json.dumps(dict(examples=EXAMPLES, grammar=dict(templates=templates, lists=lists), words=words), indent=0))


def main(work, out=HERE, name="unet"):
    """Writes everything of the denoiser's checkpoint WORK/NAME.pt to OUT."""
    out.mkdir(parents=True, exist_ok=True)
    steps = write_folder(work, out / "model", name)
    pipe = rounded(work, name)
    record_parity(pipe, out)
    fit_previews(pipe, out)
    write_vocabulary(out)
    say(f"exported {name} to {out} after {steps} steps")
