"""The autoencoder, bootstrapped from the best linear code.

A VAE trained from nothing takes long to learn hue. So the code is given first ("boot"): the whitened
principal components of 8x8 pixel patches. The decoder learns to decode that code (with a little noise), the
encoder to give it. Then both are trained together ("joint"): the code may leave the linear one (or the exported
model's, where one is gone on from), which edges need, but is held near it, so that a denoiser of it keeps most
of what it knows. Last the encoder is frozen and the decoder alone learns on whole pictures ("decoder").
"""
import os
import time

import numpy as np
import torch
import torch.nn.functional as F

from . import networks, world
from .clock import Budget, never, say
from .pictures import RESERVED, as_tensor, chunks

SCALE = 0.18215

PHASES = {
    # crop in pixels (None: whole), pictures in a batch
    "boot": (64, 8),
    "joint": (64, 8),
    "decoder": (128, 3),
    "whole": (None, 2),
}
# The encoder does not change in these.
FROZEN = ("decoder", "whole")


@torch.no_grad()
def fold_scale(vae):
    """Folds the latent's scale into the 1x1 convolutions, so that Stable Diffusion's constant is the right one."""
    k = 1 / SCALE
    vae.quant_conv.weight[:4] *= k
    vae.quant_conv.bias[:4] *= k
    vae.quant_conv.bias[4:] += 2 * torch.tensor(k).log()
    vae.post_quant_conv.weight /= k
    vae.register_to_config(scaling_factor=SCALE)


@torch.no_grad()
def exported(folder):
    """The autoencoder of an exported model in f32, its scale unfolded: latents have unit spread."""
    vae = networks.vae()
    vae.load_state_dict(type(vae).from_pretrained(folder / "vae").state_dict())
    vae.quant_conv.weight[:4] *= SCALE
    vae.quant_conv.bias[:4] *= SCALE
    vae.quant_conv.bias[4:] -= 2 * torch.tensor(1 / SCALE).log()
    vae.post_quant_conv.weight /= SCALE
    return vae.float()


def linear_code(renders, path):
    """Fits the code to every eighth picture: WORK/pca.npz with mean, components [192, 4] and their standard deviations."""
    patch = lambda a: (a.astype(np.float32) / 127.5 - 1).reshape(
        len(a), a.shape[1] // 8, 8, a.shape[2] // 8, 8, 3).transpose(0, 1, 3, 5, 2, 4).reshape(-1, 192)
    x = np.concatenate([patch(pictures[::8]) for _, pictures in renders])
    mean = x.mean(0)
    components, variances, _ = np.linalg.svd((x - mean).T @ (x - mean) / len(x))
    np.savez(path, mu=mean, P=components[:, :4], sd=np.sqrt(variances[:4]))


def encoder_of(path):
    """The linear code as a convolution: f32 [N, 3, H, W] to [N, 4, H/8, W/8]."""
    code = np.load(path)
    weight = torch.from_numpy((code["P"] / code["sd"]).T.astype(np.float32)).reshape(4, 3, 8, 8)
    bias = -(weight.flatten(1) @ torch.from_numpy(code["mu"]))
    return lambda x: F.conv2d(x, weight, bias, stride=8)


def code_of(state):
    """The code of an autoencoder's weights, which does not change: f32 [N, 3, H, W] to [N, 4, H/8, W/8]."""
    vae = networks.vae()
    vae.load_state_dict(state)
    vae.requires_grad_(False)
    return lambda x: vae.encode(x).latent_dist.mode()


def reconstruction_loss(y, x):
    """L1, L2, gradients at three scales, and low-frequency colour (which teaches hue quickly)."""
    loss = (y - x).abs().mean() + 3 * (y - x).pow(2).mean()
    for scale in (1, 2, 4):
        a, b = (y, x) if scale == 1 else (F.avg_pool2d(y, scale), F.avg_pool2d(x, scale))
        for axis in (-1, -2):
            loss = loss + 0.4 * (a.diff(dim=axis) - b.diff(dim=axis)).abs().mean()
    return loss + (F.avg_pool2d(y, 8) - F.avg_pool2d(x, 8)).abs().mean()


def psnr(vae, pictures):
    """Mean over held-out pictures of the PSNR of decode(encode(x)), dB."""
    with torch.no_grad():
        x = as_tensor(pictures)
        y = torch.cat([vae.decode(vae.encode(b).latent_dist.mode()).sample for b in x.split(4)]).clamp(-1, 1)
    return float((-10 * torch.log10(((y - x) / 2).pow(2).mean((1, 2, 3)))).mean())


def phase_loss(phase, vae, code, x):
    """The loss of one batch, f32 [N, 3, H, W] in -1..1."""
    if phase in FROZEN:
        with torch.no_grad():
            posterior = vae.encode(x).latent_dist
        return reconstruction_loss(vae.decode(posterior.mean + 0.05 * torch.randn_like(posterior.mean)).sample.float(), x)
    posterior = vae.encode(x).latent_dist
    target = code(x)
    distance = (posterior.mean - target).pow(2).mean()
    spread = 0.02 * (posterior.logvar + 6).pow(2).mean()
    if phase == "boot":
        decoded = vae.decode(target + 0.04 * torch.randn_like(target)).sample
        return reconstruction_loss(decoded, x) + 0.5 * distance + spread
    return reconstruction_loss(vae.decode(posterior.sample()).sample, x) + 0.05 * distance + spread


def train(work, minutes, phase, stretch=None, stop=never, rate=1.5e-3, hold=0.3):
    """Trains one of PHASES on the renders, `minutes` over all calls and at most `stretch` in this one.

    Resumes from WORK/vae.pt, the same phase with the minutes it had. The learning rate stays for the share `hold`
    of the minutes and then falls along a cosine.
    """
    torch.manual_seed(0)
    crop_size, batch = PHASES[phase]
    renders = chunks(work)
    vae = networks.vae()
    optimizer = torch.optim.AdamW(vae.parameters(), rate, betas=(0.9, 0.98), weight_decay=1e-4)
    mean, step, spent = {k: v.detach().clone() for k, v in vae.state_dict().items()}, 0, 0.0
    if (work / "vae.pt").exists():
        state = torch.load(work / "vae.pt", weights_only=False)
        mean, step = state["ema"], state["it"]
        spent = state["spent"] if state.get("phase") == phase else 0.0
        # The encoder that the latents are made with is the averaged one.
        vae.load_state_dict(mean if phase in FROZEN and not spent else state["m"])
        if "o" in state:
            optimizer.load_state_dict(state["o"])
    if phase in FROZEN:
        vae.encoder.requires_grad_(False)
        vae.quant_conv.requires_grad_(False)
        code = None
    elif (work / "code.pt").exists():
        code = code_of(torch.load(work / "code.pt"))
    else:
        if not (work / "pca.npz").exists():
            linear_code(renders, work / "pca.npz")
        code = encoder_of(work / "pca.npz")
    edge = renders[0][1].shape[1]
    crop_size = crop_size or edge
    rng = np.random.default_rng(step)
    budget = Budget(minutes, spent, stretch, stop)
    if not budget.left():
        return
    losses = []
    keep = lambda: save(work, vae, optimizer, mean, step, phase, budget.spent())
    while budget.left():
        share = budget.share()
        decay = 1 if share < hold else 0.5 * (1 + float(np.cos(np.pi * (share - hold) / (1 - hold)))) * 0.97 + 0.03
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 60) * decay
        crops = []
        for _ in range(batch):
            pictures = renders[rng.integers(len(renders))][1]
            y, x = rng.integers(0, edge - crop_size + 1, 2)
            crop = pictures[rng.integers(len(pictures)), y:y + crop_size, x:x + crop_size]
            crops.append(crop[:, ::-1] if rng.random() < 0.5 else crop)
        with torch.autocast("cpu", torch.bfloat16, enabled=phase in FROZEN and torch.cpu._is_avx512_bf16_supported()):
            loss = phase_loss(phase, vae, code, as_tensor(np.stack(crops)))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step += 1
        losses.append(loss.item())
        with torch.no_grad():
            kept = min(0.998, (1 + step) / (20 + step))
            for (_, value), average in zip(vae.state_dict().items(), mean.values()):
                average.lerp_(value, 1 - kept)
        if step % 100 == 0:
            keep()
            say(f"vae {phase} step {step} minutes {budget.spent():.1f} loss {np.mean(losses):.4f}")
            losses = []
    spent = budget.spent()
    keep()
    vae.load_state_dict(mean)
    say(f"vae {phase} at step {step}, minutes {spent:.1f}: {psnr(vae, held_out(size=edge)):.2f} dB on held-out renders")


def held_out(count=64, size=128):
    """Renders of seeds that nothing trains on, uint8 [N, size, size, 3]."""
    return np.stack([world.render(world.scene(RESERVED + i), size) for i in range(count)])


def save(work, vae, optimizer, mean, step, phase, spent):
    """Writes the checkpoint."""
    write(work / "vae.pt", dict(m=vae.state_dict(), o=optimizer.state_dict(), ema=mean, it=step, phase=phase, spent=spent))


def write(path, state):
    """Writes a checkpoint whole or not at all."""
    torch.save(state, path.with_suffix(".part"))
    os.replace(path.with_suffix(".part"), path)
