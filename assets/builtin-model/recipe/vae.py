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
from .pictures import as_tensor

SCALE = 0.18215

PHASES = {
    # crop in pixels, pictures in a batch
    "boot": (64, 8),
    "joint": (64, 8),
    "decoder": (128, 3),
}


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


def linear_code(pictures, path):
    """Fits the code: WORK/pca.npz with mean, components [192, 4] and their standard deviations."""
    patch = lambda a: (a.astype(np.float32) / 127.5 - 1).reshape(
        len(a), a.shape[1] // 8, 8, a.shape[2] // 8, 8, 3).transpose(0, 1, 3, 5, 2, 4).reshape(-1, 192)
    x = patch(pictures[::8])
    mean = x.mean(0)
    components, variances, _ = np.linalg.svd((x - mean).T @ (x - mean) / len(x))
    np.savez(path, mu=mean, P=components[:, :4], sd=np.sqrt(variances[:4]))


def encoder_of(path):
    """The linear code as a convolution: f32 [N, 3, H, W] to [N, 4, H/8, W/8]."""
    code = np.load(path)
    weight = torch.from_numpy((code["P"] / code["sd"]).T.astype(np.float32)).reshape(4, 3, 8, 8)
    bias = -(weight.flatten(1) @ torch.from_numpy(code["mu"]))
    return lambda x: F.conv2d(x, weight, bias, stride=8)


def code_of(vae):
    """An autoencoder's code, which does not change: f32 [N, 3, H, W] to [N, 4, H/8, W/8]."""
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
        y = torch.cat([vae.decode(vae.encode(b).latent_dist.mode()).sample for b in x.split(8)]).clamp(-1, 1)
    return float((-10 * torch.log10(((y - x) / 2).pow(2).mean((1, 2, 3)))).mean())


def phase_loss(phase, vae, code, x):
    """The loss of one batch, f32 [N, 3, H, W] in -1..1."""
    if phase == "decoder":
        with torch.no_grad():
            posterior = vae.encode(x).latent_dist
        return reconstruction_loss(vae.decode(posterior.mean + 0.05 * torch.randn_like(posterior.mean)).sample, x)
    posterior = vae.encode(x).latent_dist
    target = code(x)
    distance = (posterior.mean - target).pow(2).mean()
    spread = 0.02 * (posterior.logvar + 6).pow(2).mean()
    if phase == "boot":
        decoded = vae.decode(target + 0.04 * torch.randn_like(target)).sample
        return reconstruction_loss(decoded, x) + 0.5 * distance + spread
    return reconstruction_loss(vae.decode(posterior.sample()).sample, x) + 0.05 * distance + spread


def train(work, minutes, phase, start=None, rate=1.5e-3):
    """Trains one of PHASES for so many minutes on WORK/train.npy.

    Resumes from WORK/vae.pt, or begins with the exported model in the folder `start`, near whose code it stays.
    """
    torch.manual_seed(0)
    crop_size, batch = PHASES[phase]
    pictures = np.load(work / "train.npy", mmap_mode="r")
    if not start and not (work / "pca.npz").exists():
        linear_code(pictures, work / "pca.npz")
    code = code_of(exported(start)) if start else encoder_of(work / "pca.npz")
    vae = exported(start) if start and not (work / "vae.pt").exists() else networks.vae()
    if phase == "decoder":
        vae.encoder.requires_grad_(False)
        vae.quant_conv.requires_grad_(False)
    optimizer = torch.optim.AdamW(vae.parameters(), rate, betas=(0.9, 0.98), weight_decay=1e-4)
    mean = {k: v.detach().clone() for k, v in vae.state_dict().items()}
    step = 0
    if (work / "vae.pt").exists():
        state = torch.load(work / "vae.pt", weights_only=False)
        vae.load_state_dict(state["m"])
        optimizer.load_state_dict(state["o"])
        mean, step = state["ema"], state["it"]
        if phase == "decoder":
            # The encoder that the latents are made with is the averaged one.
            vae.load_state_dict(mean)
    rng = np.random.default_rng(step)
    begun = time.time()
    while (share := (time.time() - begun) / 60 / minutes) < 1:
        decay = 1 if share < 0.3 else 0.5 * (1 + float(np.cos(np.pi * (share - 0.3) / 0.7))) * 0.97 + 0.03
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 60) * decay
        crops = []
        for i in rng.integers(0, len(pictures), batch):
            y, x = rng.integers(0, pictures.shape[1] - crop_size + 1, 2)
            crop = pictures[i, y:y + crop_size, x:x + crop_size]
            crops.append(crop[:, ::-1] if rng.random() < 0.5 else crop)
        loss = phase_loss(phase, vae, code, as_tensor(np.stack(crops)))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step += 1
        with torch.no_grad():
            keep = min(0.998, (1 + step) / (20 + step))
            for (_, value), average in zip(vae.state_dict().items(), mean.values()):
                average.lerp_(value, 1 - keep)
        if step % 300 == 0:
            save(work, vae, optimizer, mean, step)
            print(f"vae {phase} step {step} minutes {share * minutes:.1f} loss {loss.item():.4f}", flush=True)
    save(work, vae, optimizer, mean, step)
    vae.load_state_dict(mean)
    print(f"vae {phase} ended at step {step}: {psnr(vae, held_out(size=pictures.shape[1])):.2f} dB on held-out renders", flush=True)


def held_out(count=64, size=128):
    """Renders of seeds that nothing trains on, uint8 [N, size, size, 3]."""
    return np.stack([world.render(world.scene(1_000_000 + i), size) for i in range(count)])


def save(work, vae, optimizer, mean, step):
    """Writes the checkpoint whole or not at all."""
    torch.save(dict(m=vae.state_dict(), o=optimizer.state_dict(), ema=mean, it=step), work / "vae.tmp")
    os.replace(work / "vae.tmp", work / "vae.pt")
