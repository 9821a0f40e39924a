"""Safelight's stages beside PyTorch's, on the same weights, in turns.

    python3 -m venv venv && venv/bin/pip install -r assets/builtin-model/recipe/requirements.txt
    cargo build --release && venv/bin/python benches/compare/compare.py WORK [--rounds N] [--cores 0] [--model FOLDER]

Makes a checkpoint of Stable Diffusion 1.5's shapes with random weights in WORK (f16, 2 GB) unless a model is
named, runs both programs by turns on the same cores with as many threads, and prints the medians as a table.
A round takes minutes; the machine should have nothing else to do.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STAGES = [
    ("ready_secs", "load, until the first step is as fast as the others"), ("prompt_secs", "encode the prompt"),
    ("step_secs", "one step with guidance"), ("decode_secs", "decode"), ("encode_secs", "encode"),
    ("peak_mib", "peak memory, MiB"),
]


def make_checkpoint(folder):
    """A diffusers folder of Stable Diffusion 1.5's shapes with random weights in f16."""
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer
    torch.manual_seed(0)
    tokenizer = CLIPTokenizer.from_pretrained(ROOT / "assets/builtin-model/model/tokenizer", model_max_length=77)
    text = CLIPTextModel(CLIPTextConfig(
        vocab_size=49408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
        max_position_embeddings=77, hidden_act="quick_gelu", projection_dim=768,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id))
    unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)
    vae = AutoencoderKL(
        block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4, norm_num_groups=32, sample_size=512,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4)
    scheduler = DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
                              set_alpha_to_one=False, steps_offset=1)
    pipe = StableDiffusionPipeline(vae=vae, text_encoder=text, tokenizer=tokenizer, unet=unet, scheduler=scheduler,
                                   safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    pipe.to(torch.float16).save_pretrained(folder)
    weights = folder / "text_encoder/model.safetensors"
    from safetensors.torch import load_file, save_file
    tensors = load_file(weights)
    save_file({k if k.startswith("text_model.") else f"text_model.{k}": v for k, v in tensors.items()}, weights,
              metadata={"format": "pt"})


def pytorch(folder, threads, dtype):
    """The stages in PyTorch, seconds; the same that `safelight bench --json` prints."""
    begun = time.perf_counter()
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextModel
    imported = time.perf_counter()
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    kind = {"f32": torch.float32, "bf16": torch.bfloat16}[dtype]
    load = lambda cls, part: cls.from_pretrained(folder / part, torch_dtype=kind).eval()
    text, unet, vae = load(CLIPTextModel, "text_encoder"), load(UNet2DConditionModel, "unet"), load(AutoencoderKL, "vae")
    unet, vae = (network.to(memory_format=torch.channels_last) for network in (unet, vae))
    loaded = time.perf_counter()
    size = unet.config.sample_size
    ids = torch.zeros(2, text.config.max_position_embeddings, dtype=torch.long)

    def seconds(run, repeats=3):
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            out = run()
            times.append(time.perf_counter() - start)
        return times[0], statistics.median(times[1:]), out

    _, prompt, states = seconds(lambda: text(ids).last_hidden_state)
    noisy = torch.randn(2, unet.config.in_channels, size, size, dtype=kind).to(memory_format=torch.channels_last)
    first, step, _ = seconds(lambda: unet(noisy, torch.tensor(500), states).sample)
    latent = torch.randn(1, vae.config.latent_channels, size, size, dtype=kind).to(memory_format=torch.channels_last)
    _, decode, picture = seconds(lambda: vae.decode(latent).sample)
    _, encode, _ = seconds(lambda: vae.encode(picture.clamp(-1, 1)).latent_dist.mean)
    return dict(
        ready_secs=loaded - imported + max(0.0, first - step), import_secs=imported - begun, prompt_secs=prompt,
        step_secs=step, decode_secs=decode, encode_secs=encode,
        peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


def safelight(model, threads, dtype, instructions):
    """`safelight bench --json`'s answer, with what the first step took beside the others counted as loading."""
    command = [str(ROOT / "target/release/safelight"), "bench", "--json", "--model", model, "--threads", str(threads),
               "--steps", "3", "--dtype", dtype, *(["--instructions", instructions] if instructions else [])]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    answer["ready_secs"] = answer["load_secs"] + max(0.0, answer["first_step_secs"] - answer["step_secs"])
    return answer


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--model", help="a diffusers folder, or `builtin`")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", default="0", help="as for taskset; one thread for each")
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--instructions", help="what Safelight keeps to; PyTorch keeps to what ONEDNN_MAX_CPU_ISA says")
    parser.add_argument("--only-pytorch", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    cores = {int(core) for core in asked.cores.split(",")}
    os.sched_setaffinity(0, cores)
    folder = asked.work / "sd15"
    if asked.model:
        folder = ROOT / "assets/builtin-model/model" if asked.model == "builtin" else Path(asked.model)
    if asked.only_pytorch:
        print(json.dumps(pytorch(folder, len(cores), asked.dtype)))
        return
    if not (folder / "model_index.json").exists():
        asked.work.mkdir(parents=True, exist_ok=True)
        make_checkpoint(folder)
    rounds = []
    for number in range(asked.rounds):
        ours = safelight(asked.model or str(folder), len(cores), asked.dtype, asked.instructions)
        child = [sys.executable, __file__, str(asked.work), "--cores", asked.cores, "--dtype", asked.dtype, "--only-pytorch"]
        child += ["--model", asked.model] if asked.model else []
        theirs = json.loads(subprocess.run(child, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
        rounds.append((ours, theirs))
        print(f"round {number + 1} of {asked.rounds}", file=sys.stderr, flush=True)
    kept = rounds[-1][0]["instructions"]
    print(f"{asked.dtype}, {len(cores)} thread(s), Safelight with {kept}, medians of {asked.rounds} rounds\n")
    print("| stage | Safelight | PyTorch | ratio |\n|---|---|---|---|")
    for key, name in STAGES:
        ours, theirs = (statistics.median(side[key] for side in sides) for sides in zip(*rounds))
        digits = 0 if key == "peak_mib" else 3
        unit = "" if key == "peak_mib" else " s"
        print(f"| {name} | {ours:.{digits}f}{unit} | {theirs:.{digits}f}{unit} | {ours / theirs:.2f} |")


if __name__ == "__main__":
    main()
