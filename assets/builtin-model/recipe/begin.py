"""Lays the checkpoints of an exported model in a new work folder, so that the stages go on from it.

The optimizers' moments are not exported: they begin anew. Words keep their numbers.
"""
import shutil

import torch
from diffusers import UNet2DConditionModel
from transformers import CLIPTokenizer

from . import networks, unet, vae


def begin(work, model):
    """From the folder `model` to WORK/tok, WORK/vae.pt, WORK/unet.pt and WORK/code.pt (see vae.code_of).

    Raises FileExistsError where WORK has a checkpoint: it is not written over.
    """
    for name in ("vae.pt", "unet.pt"):
        if (work / name).exists():
            raise FileExistsError(f"{work / name} is there already; remove it to begin anew, or go on from it")
    (work / "tok").mkdir(parents=True, exist_ok=True)
    for path in (model / "tokenizer").iterdir():
        shutil.copyfile(path, work / "tok" / path.name)
    autoencoder = vae.exported(model).state_dict()
    vae.write(work / "code.pt", autoencoder)
    vae.write(work / "vae.pt", dict(m=autoencoder, ema=autoencoder, it=0))
    text = networks.text_encoder(CLIPTokenizer.from_pretrained(work / "tok"))
    text.load_state_dict(type(text).from_pretrained(model / "text_encoder").float().state_dict())
    denoiser = UNet2DConditionModel.from_pretrained(model / "unet").float()
    mean = [p.detach() for p in (*denoiser.parameters(), *text.parameters())]
    vae.write(work / "unet.pt", dict(
        un=denoiser.state_dict(), te=text.state_dict(), ema=mean, it=0, seen=0, spent=0.0, size=denoiser.config.sample_size))
