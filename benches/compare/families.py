"""Safelight's steps of large models beside PyTorch's, in turns: full width, reduced depth, random weights.

    cargo build --release && python benches/compare/families.py WORK [--rounds N] [--cores 0] [--only NAME]…

| workload | what is timed |
|---|---|
| sdxl | one UNet call with guidance (batch 2) of Stable Diffusion XL at 1024², f32 |
| flux | one call of FLUX.1 dev's transformer, 2 double and 4 single blocks, 1024 image and 512 text tokens, bf16 |
| flux-q8_0, flux-q4_k, flux-q4_0 | the same with quantised weights; beside our own bf16 |
| schnell-q4_0 | one call of schnell's transformer, as above with 256 text tokens, beside stable-diffusion.cpp |
| load | a FLUX.1 dev of 6.7 GB in Q4_K, warm, with T5-XXL of 4 blocks; beside stable-diffusion.cpp without T5 |
| t5 | T5-XXL with 4 blocks and CLIP-L, 256 tokens, bf16 |

Needs PyTorch, what `real_shapes.py` needs, and stable-diffusion-cpp-python. A ratio below 1 means that Safelight is faster.
"""
import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from real_shapes import clip, flux_transformer, t5, t5_tokenizer, vae, with_kinds, write_gguf, write_safetensors

ROOT = Path(__file__).resolve().parents[2]
T5_BLOCKS, DOUBLE_BLOCKS, SINGLE_BLOCKS = 4, 2, 4
UNET_LAYERS = (1, 2, 4)
WORKLOADS = ["sdxl", "flux", "flux-q8_0", "flux-q4_k", "flux-q4_0", "schnell-q4_0", "load", "t5"]
# What is beside Safelight, where it is not PyTorch.
BESIDE = {name: "our bf16" for name in WORKLOADS if name.startswith("flux-")} | dict.fromkeys(["schnell-q4_0", "load"], "stable-diffusion.cpp")


def make_sdxl(folder):
    """A diffusers folder of Stable Diffusion XL with a UNet of reduced depth, small encoders and a small VAE; f16."""
    import torch
    from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLPipeline
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer
    torch.manual_seed(0)
    tokenizer = CLIPTokenizer.from_pretrained(ROOT / "assets/builtin-model/model/tokenizer", model_max_length=77)
    marks = dict(bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    config = lambda width, **rest: CLIPTextConfig(
        vocab_size=49408, hidden_size=width, intermediate_size=4 * width, num_hidden_layers=2, num_attention_heads=width // 64,
        max_position_embeddings=77, projection_dim=width, **marks, **rest)
    small = AutoencoderKL(
        block_out_channels=(32, 32, 32, 32), latent_channels=4, down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4, scaling_factor=0.13025)
    scheduler = EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1,
                                       timestep_spacing="leading")
    pipe = StableDiffusionXLPipeline(
        vae=small, text_encoder=CLIPTextModel(config(768, hidden_act="quick_gelu")),
        text_encoder_2=CLIPTextModelWithProjection(config(1280, hidden_act="gelu")), tokenizer=tokenizer, tokenizer_2=tokenizer,
        unet=sdxl_unet(), scheduler=scheduler)
    pipe.to(torch.float16).save_pretrained(folder)


def sdxl_unet():
    from diffusers import UNet2DConditionModel
    return UNet2DConditionModel(
        sample_size=128, block_out_channels=(320, 640, 1280), down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), cross_attention_dim=2048, attention_head_dim=(5, 10, 20),
        transformer_layers_per_block=UNET_LAYERS, use_linear_projection=True, addition_embed_type="text_time",
        addition_time_embed_dim=256, projection_class_embeddings_input_dim=2816)


def make_flux(folder):
    """FLUX.1 dev's transformer in each format and schnell's in bf16, T5-XXL in bf16, CLIP-L and the VAE."""
    folder.mkdir(parents=True, exist_ok=True)
    dev, schnell = flux_transformer(DOUBLE_BLOCKS, SINGLE_BLOCKS), flux_transformer(1, 1, guidance=False)
    for kind in ("BF16", "Q8_0", "Q4_K", "Q4_0"):
        write_gguf(folder / f"dev-{kind.lower()}.gguf", "flux", with_kinds(dev, kind))
    write_gguf(folder / "schnell.gguf", "flux", with_kinds(schnell, "BF16"))
    whole = flux_transformer(DOUBLE_BLOCKS, SINGLE_BLOCKS, guidance=False)
    write_gguf(folder / "schnell-q4_0.gguf", "flux", with_kinds(whole, "Q4_0"))
    write_gguf(folder / "load.gguf", "flux", with_kinds(flux_transformer(), "Q4_K"))
    encoder = with_kinds(t5(T5_BLOCKS), "BF16", kept=["enc.blk.0.attn_rel_b.weight"])
    write_gguf(folder / "t5xxl.gguf", "t5encoder", encoder, t5_tokenizer)
    # stable-diffusion.cpp takes T5 with all its blocks only.
    write_gguf(folder / "t5xxl-q8_0.gguf", "t5encoder", with_kinds(t5(), "Q8_0", kept=["enc.blk.0.attn_rel_b.weight"]), t5_tokenizer)
    for name, shapes, kind in (("clip_l", clip(), "F16"), ("ae", vae(False), "F32")):
        write_safetensors(folder / f"{name}.safetensors", {part: (kind, shape) for part, shape in shapes.items()})


def least(run, repeats=3):
    """The least time of some runs after a first one, seconds."""
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        run()
        times.append(time.perf_counter() - begun)
    return min(times[1:])


def pytorch(workload, threads):
    """Seconds in PyTorch."""
    import torch
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    torch.manual_seed(0)
    random = lambda *shape: torch.randn(*shape, dtype=torch.get_default_dtype())
    if workload == "sdxl":
        unet = sdxl_unet().eval().to(memory_format=torch.channels_last)
        noisy, states = random(2, 4, 128, 128).to(memory_format=torch.channels_last), random(2, 77, 2048)
        added = dict(text_embeds=random(2, 1280), time_ids=torch.tensor([[1024.0, 1024, 0, 0, 1024, 1024]] * 2))
        return least(lambda: unet(noisy, torch.tensor(500), states, added_cond_kwargs=added), 2)
    torch.set_default_dtype(torch.bfloat16)
    if workload == "t5":
        from transformers import CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel
        encoder = T5EncoderModel(T5Config(
            vocab_size=32128, d_model=4096, d_kv=64, d_ff=10240, num_layers=T5_BLOCKS, num_heads=64, feed_forward_proj="gated-gelu")).eval()
        small = CLIPTextModel(CLIPTextConfig(
            vocab_size=49408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12)).eval()
        ids = torch.ones(1, 256, dtype=torch.long)
        return least(lambda: (encoder(ids), small(ids[:, :77])))
    from diffusers import FluxTransformer2DModel
    network = FluxTransformer2DModel(num_layers=DOUBLE_BLOCKS, num_single_layers=SINGLE_BLOCKS, guidance_embeds=True).eval()
    inputs = dict(hidden_states=random(1, 1024, 64), encoder_hidden_states=random(1, 512, 4096), pooled_projections=random(1, 768),
                  timestep=torch.tensor([0.5]), img_ids=torch.zeros(1024, 3), txt_ids=torch.zeros(512, 3), guidance=torch.tensor([3.5]))
    return least(lambda: network(**inputs))


def stable_diffusion_cpp(work, workload, threads):
    """Seconds in stable-diffusion.cpp: of loading, or of the second step."""
    from stable_diffusion_cpp import StableDiffusion
    flux, begun, ends = work / "flux", time.perf_counter(), []
    model = StableDiffusion(diffusion_model_path=str(flux / f"{workload}.gguf"), vae_path=str(flux / "ae.safetensors"),
                            clip_l_path=str(flux / "clip_l.safetensors"), t5xxl_path="" if workload == "load" else str(flux / "t5xxl-q8_0.gguf"),
                            n_threads=threads, verbose=True)  # Without it nothing can be printed from the callback.
    if workload == "load":
        return time.perf_counter() - begun

    def step_ended(step, *_):
        ends.append(time.perf_counter())
        if step == 2:
            print(ends[-1] - ends[-2], flush=True)
            os._exit(0)

    model.generate_image(prompt="", width=512, height=512, cfg_scale=1.0, sample_steps=2, progress_callback=step_ended)


def safelight(work, workload, threads):
    """Seconds of the stage in `safelight bench`."""
    flux = work / "flux"
    named = ["--text-encoder", flux / "clip_l.safetensors", "--text-encoder-2", flux / "t5xxl.gguf", "--vae", flux / "ae.safetensors"]
    file = {"flux": "dev-bf16"}.get(workload, workload.replace("flux-", "dev-"))
    model, size, dtype, stage = {
        "sdxl": ([work / "sdxl"], "1024x1024", "f32", "step_secs"),
        "t5": ([flux / "schnell.gguf", *named], "64x64", "bf16", "prompt_secs"),
        "load": ([flux / "load.gguf", *named], "64x64", "bf16", "load_secs"),
    }.get(workload, ([flux / f"{file}.gguf", *named], "512x512", "bf16", "step_secs"))
    steps = 1 if workload == "load" else 2
    command = [ROOT / "target/release/safelight", "bench", "--json", "--threads", threads, "--steps", steps, "--size", size,
               "--dtype", dtype, "--model", *model]
    answer = json.loads(subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True).stdout)
    return answer[stage]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", default="0", help="as for taskset; one thread for each")
    parser.add_argument("--only", action="append", choices=WORKLOADS)
    parser.add_argument("--other", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    cores = {int(core) for core in asked.cores.split(",")}
    os.sched_setaffinity(0, cores)
    if asked.other:
        other = stable_diffusion_cpp if BESIDE.get(asked.other) == "stable-diffusion.cpp" else lambda _, *rest: pytorch(*rest)
        print(other(asked.work, asked.other, len(cores)))
        return
    chosen = asked.only or WORKLOADS
    if "sdxl" in chosen and not (asked.work / "sdxl/model_index.json").exists():
        make_sdxl(asked.work / "sdxl")
    if chosen != ["sdxl"] and not (asked.work / "flux/ae.safetensors").exists():
        make_flux(asked.work / "flux")
    child = [sys.executable, __file__, asked.work, "--cores", asked.cores, "--other"]
    print(f"{len(cores)} thread(s), least of {asked.rounds} rounds\n")
    print("| workload | Safelight | beside it | ratio |\n|---|---|---|---|", flush=True)
    for workload in chosen:
        ours, theirs = [], []
        for _ in range(asked.rounds):
            ours.append(safelight(asked.work, workload, len(cores)))
            if BESIDE.get(workload) == "our bf16":
                theirs.append(safelight(asked.work, "flux", len(cores)))
            else:
                command = [str(word) for word in [*child, workload]]
                theirs.append(float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1]))
        beside = BESIDE.get(workload, "PyTorch")
        print(f"| {workload} | {min(ours):.2f} s | {beside} {min(theirs):.2f} s | {min(ours) / min(theirs):.2f} |", flush=True)


if __name__ == "__main__":
    main()
