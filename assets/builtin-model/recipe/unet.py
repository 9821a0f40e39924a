"""The denoiser and its text encoder, trained together on the linear code of renders.

First the text encoder learns to name a caption's attributes, so that its states tell words apart; then
both learn on latents of half the size, four times cheaper, and at last on whole ones. v-prediction, ten
percent of captions dropped for guidance, averaged weights.
"""
import hashlib

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from diffusers.models.attention_processor import AttnProcessor
from transformers import CLIPTokenizer

from . import attributes, networks, vae, world
from .clock import Budget, minutes, never, say
from .pictures import as_tensor, chunks

# Samples of a step by the latents' edge: a step takes about as long for each.
BATCH = {8: 48, 16: 24, 32: 8}


@torch.no_grad()
def latents(work, small=True, mirror=False):
    """Codes the pictures of every chunk but the held-out combinations, to WORK/codes/FIRST.pt.

    `small`: copies of half the size too. `mirror`: mirrored pictures too, which follow the others. A chunk that was
    coded by the same encoder in the same way is left as it is.
    """
    code, mark = encoder(work)
    (work / "codes").mkdir(exist_ok=True)
    for first, pictures in chunks(work):
        path, made = work / "codes" / f"{first:07}.pt", f"{mark} {small} {mirror} {pictures.shape}"
        if path.exists() and torch.load(path, mmap=True)["made"] == made:
            continue
        kept = [i for i in range(len(pictures)) if not world.held_out(world.scene(first + i))]
        turns = (False, True) if mirror else (False,)
        # Four at a time stay in a core's cache: a third faster than sixteen.
        batches = [(pictures[kept[i:i + 4]], turned) for turned in turns for i in range(0, len(kept), 4)]
        tensors = lambda: (as_tensor(p[:, :, ::-1] if turned else p) for p, turned in batches)
        state = dict(made=made, seeds=[first + i for i in kept] * len(turns), mirrored=[t for t in turns for _ in kept],
                     whole=torch.cat([code(x).half() for x in tensors()]))
        if small:
            state["halved"] = torch.cat([code(F.avg_pool2d(x, 2)).half() for x in tensors()])
        vae.write(path, state)
        say(f"coded {len(state['seeds'])} pictures of seeds from {first} on")


def encoder(work):
    """Pictures f32 [N, 3, H, W] in -1..1 to the posterior's mean f32 [N, 4, H/8, W/8], of unit spread; and its mark.

    It is WORK/vae.pt's, or the linear code where there is none.
    """
    if not (work / "vae.pt").exists():
        return vae.encoder_of(work / "pca.npz"), "linear"
    autoencoder = networks.vae()
    autoencoder.load_state_dict(torch.load(work / "vae.pt", weights_only=False)["ema"])
    mark = hashlib.sha256()
    for part in (autoencoder.encoder, autoencoder.quant_conv):
        for value in part.state_dict().values():
            mark.update(value.numpy().tobytes())
    autoencoder.eval().to(memory_format=torch.channels_last)

    def code(x):
        with torch.autocast("cpu", torch.bfloat16, enabled=torch.cpu._is_avx512_bf16_supported()):
            return autoencoder.encode(x.to(memory_format=torch.channels_last)).latent_dist.mode().float().contiguous()

    return code, mark.hexdigest()[:16]


class Codes:
    """What the denoiser learns from: the codes of all chunks, and captions of their scenes."""

    def __init__(self, work):
        parts = [torch.load(path) for path in sorted((work / "codes").glob("*.pt"))]
        self.whole = torch.cat([p["whole"] for p in parts])
        self.halved = torch.cat([p["halved"] for p in parts]) if all("halved" in p for p in parts) else None
        self.seeds = [seed for p in parts for seed in p["seeds"]]
        self.mirrored = [turned for p in parts for turned in p["mirrored"]]

    def captions(self, draw):
        """A caption of each scene; other words for another `draw`."""
        random = np.random.default_rng(draw).integers(0, 2 ** 31, len(self.seeds))
        scenes = ((world.mirrored if turned else lambda s: s)(world.scene(seed)) for seed, turned in zip(self.seeds, self.mirrored))
        return [world.caption(scene, int(words)) for scene, words in zip(scenes, random)]


def learn_words(text, ids, seeds, duration):
    """For `duration` minutes trains the text encoder to name the attributes of the scene a caption describes."""
    labels = [attributes.labels(world.scene(s)) for s in seeds]
    classes = {k: torch.tensor([l[0][k] for l in labels]) for k in attributes.HEADS}
    colours, shapes = (torch.tensor(np.stack([l[i] for l in labels])) for i in (1, 2))
    heads = nn.ModuleDict({k: nn.Linear(networks.TEXT_WIDTH, len(v)) for k, v in attributes.HEADS.items()})
    heads["colours"], heads["shapes"] = nn.Linear(networks.TEXT_WIDTH, 10), nn.Linear(networks.TEXT_WIDTH, 5)
    optimizer = torch.optim.AdamW([*text.parameters(), *heads.parameters()], 1e-3)
    end = minutes() + duration
    while minutes() < end:
        i = torch.randint(0, len(ids), (64,))
        states = text(ids[i]).last_hidden_state.mean(1)
        loss = sum(F.cross_entropy(heads[k](states), classes[k][i], ignore_index=-1) for k in classes)
        loss = loss + 3 * F.binary_cross_entropy_with_logits(heads["colours"](states), colours[i])
        loss = loss + 3 * F.binary_cross_entropy_with_logits(heads["shapes"](states), shapes[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def signal():
    """The share of the clean picture's power at each of the 1000 times, f32 [1000]."""
    betas = torch.linspace(0.00085 ** 0.5, 0.02 ** 0.5, 1000, dtype=torch.float64) ** 2
    return torch.cumprod(1 - betas, 0).float()


def noisy(clean, t, noise, powers):
    """Clean codes at the times t [N] with that noise, and the v that is to be predicted."""
    alpha, sigma = powers[t].view(-1, 1, 1, 1).sqrt(), (1 - powers[t]).view(-1, 1, 1, 1).sqrt()
    return alpha * clean + sigma * noise, alpha * noise - sigma * clean


def train(work, total, small_minutes=0.0, stretch=None, stop=never, hold=0.5, rate=1e-3, word_minutes=2.0, name="unet"):
    """Trains WORK/NAME.pt: `total` minutes over all calls, the first `small_minutes` of them at half the size.

    Resumes from the checkpoint where there is one; takes `stretch` minutes at most in this call. The learning rate stays
    for the share `hold` of the minutes and then falls along a cosine.
    """
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    # A processor without bf16 products is several times slower with them.
    halves = device == "cuda" or torch.cpu._is_avx512_bf16_supported()
    data = Codes(work)
    tokenizer = CLIPTokenizer.from_pretrained(work / "tok")
    tokens = lambda texts: torch.tensor(tokenizer(
        texts, padding="max_length", max_length=networks.TOKENS, truncation=True).input_ids)
    size = data.whole.shape[-1]
    text, unet = networks.text_encoder(tokenizer), networks.unet(size)
    if device == "cpu":
        # A tenth faster than the fused attention at these sizes.
        unet.set_attn_processor(AttnProcessor())
    state = dict(it=0, seen=0, spent=0.0)
    if (work / f"{name}.pt").exists():
        state = torch.load(work / f"{name}.pt", weights_only=False)
        unet.load_state_dict(state["un"])
        text.load_state_dict(state["te"])
    step, seen = state["it"], state["seen"]
    ids, nothing = tokens(data.captions(step)), tokens([""])
    if "un" not in state:
        learn_words(text, ids, data.seeds, word_minutes)
    text.to(device), unet.to(device)
    parameters = [*unet.parameters(), *text.parameters()]
    optimizer = torch.optim.AdamW(
        [dict(params=list(unet.parameters())), dict(params=list(text.parameters()))], rate, betas=(0.9, 0.99),
        weight_decay=1e-2, fused=True)
    if "o" in state:
        optimizer.load_state_dict(state["o"])
    mean = [m.to(device) for m in state["ema"]] if "ema" in state else [p.detach().clone() for p in parameters]
    generator = torch.Generator().manual_seed(step)
    powers = signal()
    budget = Budget(total, state["spent"], stretch, stop)
    if not budget.left():
        return
    saved, losses = budget.spent(), []
    keep = lambda: vae.write(work / f"{name}.pt", dict(
        un=unet.state_dict(), te=text.state_dict(), o=optimizer.state_dict(), ema=mean, it=step, seen=seen,
        spent=budget.spent(), size=size))
    while budget.left():
        codes = data.halved if budget.spent() < small_minutes else data.whole
        batch, share = BATCH[codes.shape[-1]], budget.share()
        decay = 1 if share < hold else 0.5 * (1 + np.cos(np.pi * (share - hold) / (1 - hold))) * 0.97 + 0.03
        for group, factor in zip(optimizer.param_groups, (1.0, 0.5)):
            group["lr"] = float(rate * factor * min(1, (step + 1) / 150) * decay)
        i = torch.randint(0, len(codes), (batch,), generator=generator)
        dropped = torch.rand(batch, 1, generator=generator) < 0.1
        # One time of each part of the range: the loss of a step depends less on chance.
        t = ((torch.arange(batch) + torch.rand(batch, generator=generator)) * (1000 / batch)).long().clamp(max=999)
        clean = codes[i].float()
        given, target = noisy(clean, t, torch.randn(clean.shape, generator=generator), powers)
        words = torch.where(dropped, nothing, ids[i]).to(device)
        with torch.autocast(device, torch.bfloat16, enabled=halves):
            output = unet(given.to(device), t.to(device), text(words).last_hidden_state).sample
        loss = (output.float() - target.to(device)).pow(2).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step, seen = step + 1, seen + batch
        losses.append(loss.item())
        # Averaged over a thirtieth of the steps so far.
        torch._foreach_lerp_(mean, [p.detach() for p in parameters], 1 - min(0.9998, (1 + step) / (30 + step)))
        if step % 100 == 0:
            say(f"{name} step {step} samples {seen} minutes {budget.spent():.1f} loss {np.mean(losses):.4f}")
            losses = []
        if budget.spent() - saved > 1.5:
            keep()
            saved = budget.spent()
    spent = budget.spent()
    keep()
    with torch.no_grad():
        for parameter, average in zip(parameters, mean):
            parameter.copy_(average)
    loss = held_out_loss(work, unet, text, tokens, device)
    say(f"{name} at step {step}, minutes {spent:.1f}: v-loss {loss:.4f} of averaged weights on held-out renders")


@torch.no_grad()
def held_out_loss(work, unet, text, tokens, device, count=64, times=3):
    """The v-loss on renders that nothing trains on, with noise and times that stay the same."""
    code, _ = encoder(work)
    size = 8 * unet.config.sample_size
    clean = torch.cat([code(x) for x in as_tensor(vae.held_out(count, size)).split(4)])
    seeds = range(vae.RESERVED, vae.RESERVED + count)
    states = text(tokens([world.caption(world.scene(s), s) for s in seeds]).to(device)).last_hidden_state
    generator, powers, losses = torch.Generator().manual_seed(0), signal(), []
    for _ in range(times):
        t = ((torch.randperm(count, generator=generator) + torch.rand(count, generator=generator)) * (1000 / count)).long().clamp(max=999)
        given, target = noisy(clean, t, torch.randn(clean.shape, generator=generator), powers)
        for i in range(0, count, 8):
            part = slice(i, i + 8)
            output = unet(given[part].to(device), t[part].to(device), states[part]).sample
            losses.append(float((output - target[part].to(device)).pow(2).mean()))
    return float(np.mean(losses))
