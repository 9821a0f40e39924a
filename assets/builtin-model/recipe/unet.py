"""The denoiser and its text encoder, trained together on the linear code of renders.

First the text encoder learns to name a caption's attributes, so that its states tell words apart; then
both learn on latents of half the size, four times cheaper, and at last on whole ones. v-prediction, ten
percent of captions dropped for guidance, averaged weights.
"""
import os
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from transformers import CLIPTokenizer

from . import attributes, networks, vae, world
from .pictures import as_tensor

# Samples of a step by the latents' edge: a step takes about as long for each.
BATCH = {8: 48, 16: 24, 32: 8}


@torch.no_grad()
def latents(work, sources, small=True):
    """Codes all pictures but the held-out combinations; `sources`: pairs of array path and first seed.

    The encoder is WORK/vae.pt's, or the linear code where there is none. `small`: copies of half the size too.
    """
    code = encoder(work)
    large, halved, seeds = [], [], []
    for path, first in sources:
        pictures = np.load(path, mmap_mode="r")
        for i in range(0, len(pictures), 4):
            # Four at a time stay in a core's cache: a third faster than sixteen.
            kept = [j for j in range(i, min(i + 4, len(pictures))) if not world.held_out(world.scene(first + j))]
            if not kept:
                continue
            x = as_tensor(pictures[kept])
            large.append(code(x).half())
            if small:
                halved.append(code(F.avg_pool2d(x, 2)).half())
            seeds += [first + j for j in kept]
    captions = [world.caption(world.scene(s), s) for s in seeds]
    small_codes = dict(halved=torch.cat(halved)) if small else {}
    torch.save(dict(whole=torch.cat(large), seeds=seeds, caps=captions, **small_codes), work / "lat.pt")


def encoder(work):
    """Pictures f32 [N, 3, H, W] in -1..1 to the posterior's mean f32 [N, 4, H/8, W/8], of unit spread."""
    if not (work / "vae.pt").exists():
        return vae.encoder_of(work / "pca.npz")
    autoencoder = networks.vae()
    autoencoder.load_state_dict(torch.load(work / "vae.pt", weights_only=False)["ema"])
    autoencoder.eval().to(memory_format=torch.channels_last)
    return lambda x: autoencoder.encode(x.to(memory_format=torch.channels_last)).latent_dist.mode().contiguous()


def learn_words(text, ids, seeds, minutes):
    """Trains the text encoder to name the attributes of the scene a caption describes."""
    labels = [attributes.labels(world.scene(s)) for s in seeds]
    classes = {k: torch.tensor([l[0][k] for l in labels]) for k in attributes.HEADS}
    colours, shapes = (torch.tensor(np.stack([l[i] for l in labels])) for i in (1, 2))
    heads = nn.ModuleDict({k: nn.Linear(networks.TEXT_WIDTH, len(v)) for k, v in attributes.HEADS.items()})
    heads["colours"], heads["shapes"] = nn.Linear(networks.TEXT_WIDTH, 10), nn.Linear(networks.TEXT_WIDTH, 5)
    optimizer = torch.optim.AdamW([*text.parameters(), *heads.parameters()], 1e-3)
    end = time.time() + 60 * minutes
    while time.time() < end:
        i = torch.randint(0, len(ids), (64,))
        states = text(ids[i]).last_hidden_state.mean(1)
        loss = sum(F.cross_entropy(heads[k](states), classes[k][i], ignore_index=-1) for k in classes)
        loss = loss + 3 * F.binary_cross_entropy_with_logits(heads["colours"](states), colours[i])
        loss = loss + 3 * F.binary_cross_entropy_with_logits(heads["shapes"](states), shapes[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def train(work, minutes, small_minutes, start=None, hold=0.5, rate=1e-3, word_minutes=2.0):
    """Trains for so many minutes in all, `small_minutes` of them at half the size.

    Resumes from WORK/unet.pt, or begins with the exported model in the folder `start`. The learning rate
    stays for the share `hold` of the time and then falls along a cosine.
    """
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    # A processor without bf16 products is several times slower with them.
    halves = device == "cuda" or torch.cpu._is_avx512_bf16_supported()
    data = torch.load(work / "lat.pt", weights_only=False)
    tokenizer = CLIPTokenizer.from_pretrained(work / "tok")
    tokens = lambda texts: torch.tensor(tokenizer(
        texts, padding="max_length", max_length=networks.TOKENS, truncation=True).input_ids)
    ids, nothing = tokens(data["caps"]), tokens([""])
    size = data["whole"].shape[-1]
    text, unet = networks.text_encoder(tokenizer), networks.unet(size)
    begun, step = time.time(), 0
    state = None
    if (work / "unet.pt").exists():
        state = torch.load(work / "unet.pt", weights_only=False)
        unet.load_state_dict(state["un"])
        text.load_state_dict(state["te"])
        step = state["it"]
    elif start:
        unet.load_state_dict(type(unet).from_pretrained(start / "unet").float().state_dict())
        text.load_state_dict(type(text).from_pretrained(start / "text_encoder").float().state_dict())
    else:
        learn_words(text, ids, data["seeds"], word_minutes)
    text.to(device), unet.to(device)
    parameters = [*unet.parameters(), *text.parameters()]
    optimizer = torch.optim.AdamW(
        [dict(params=list(unet.parameters())), dict(params=list(text.parameters()))], rate, betas=(0.9, 0.99), weight_decay=1e-2)
    mean = [p.detach().clone() for p in parameters]
    if state:
        optimizer.load_state_dict(state["o"])
        mean = [m.to(device) for m in state["ema"]]
    generator = torch.Generator().manual_seed(step)
    betas = torch.linspace(0.00085 ** 0.5, 0.02 ** 0.5, 1000, dtype=torch.float64) ** 2
    signal = torch.cumprod(1 - betas, 0).float()
    saved, losses = time.time(), []
    while (spent := (time.time() - begun) / 60) < minutes:
        codes = data["halved"] if spent < small_minutes else data["whole"]
        batch = BATCH[codes.shape[-1]]
        share = spent / minutes
        decay = 1 if share < hold else 0.5 * (1 + np.cos(np.pi * (share - hold) / (1 - hold))) * 0.97 + 0.03
        for group, factor in zip(optimizer.param_groups, (1.0, 0.5)):
            group["lr"] = float(rate * factor * min(1, (step + 1) / 150) * decay)
        i = torch.randint(0, len(codes), (batch,), generator=generator)
        dropped = torch.rand(batch, 1, generator=generator) < 0.1
        t = torch.randint(0, 1000, (batch,), generator=generator)
        clean = codes[i].float()
        noise = torch.randn(clean.shape, generator=generator)
        alpha, sigma = signal[t].view(-1, 1, 1, 1).sqrt(), (1 - signal[t]).view(-1, 1, 1, 1).sqrt()
        noisy, target = alpha * clean + sigma * noise, alpha * noise - sigma * clean
        words = torch.where(dropped, nothing, ids[i]).to(device)
        with torch.autocast(device, torch.bfloat16, enabled=halves):
            output = unet(noisy.to(device), t.to(device), text(words).last_hidden_state).sample
        loss = (output.float() - target.to(device)).pow(2).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step += 1
        losses.append(loss.item())
        torch._foreach_lerp_(mean, [p.detach() for p in parameters], 1 - min(0.9985, (1 + step) / (30 + step)))
        if step % 100 == 0:
            print(f"unet step {step} minutes {spent:.1f} loss {np.mean(losses):.4f}", flush=True)
            losses = []
        if time.time() - saved > 150:
            save(work, unet, text, optimizer, mean, step, size)
            saved = time.time()
    save(work, unet, text, optimizer, mean, step, size)


def save(work, unet, text, optimizer, mean, step, size):
    """Writes the checkpoint whole or not at all."""
    torch.save(dict(un=unet.state_dict(), te=text.state_dict(), o=optimizer.state_dict(), ema=mean, it=step, size=size), work / "unet.tmp")
    os.replace(work / "unet.tmp", work / "unet.pt")
