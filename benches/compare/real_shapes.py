"""Models with random weights in the shapes and files of released ones.

    python benches/compare/real_shapes.py FOLDER flux|klein [--matrices q4_k|q8_0]

Needs PyTorch, diffusers, transformers, gguf and safetensors. `flux` is FLUX.1 dev: the transformer as GGUF (its matrices
in Q4_K or Q8_0), T5-XXL as GGUF in Q8_0, CLIP-L and the VAE as safetensors; 12 GB with Q4_K. `klein` is FLUX.2 klein 4B: the
transformer as safetensors in bf16, Qwen3-4B as GGUF in Q8_0 and the VAE; 12 GB. A matrix is a pattern of random blocks,
repeated, whose values have a variance of one over its number of inputs. The tokenizers inside are as large as the real ones;
their tokens are made up.
"""
import argparse
import itertools
import json
import math
import sys
from pathlib import Path

import gguf
import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests/fixtures"))
from make_single_files import vae_name  # noqa: E402

GGML = gguf.GGMLQuantizationType
# Prime, so that the rows of a matrix are not alike.
PATTERN = 4099
random = np.random.default_rng(0)
normal = random.standard_normal(PATTERN * 64, dtype=np.float32)


def q8_0(std):
    """Blocks of 32 values: a scale in f16, and the values as signed bytes."""
    blocks = np.empty((PATTERN, 34), np.uint8)
    blocks[:, :2] = np.full((PATTERN, 1), std / 73.0, np.float16).view(np.uint8)
    blocks[:, 2:] = random.integers(-127, 128, (PATTERN, 32), dtype=np.int8).view(np.uint8)
    return blocks


def q4_0(std):
    """Blocks of 32 values: a scale in f16, and values of four bits less 8."""
    blocks = np.empty((PATTERN, 18), np.uint8)
    blocks[:, :2] = np.full((PATTERN, 1), std / 4.64, np.float16).view(np.uint8)
    blocks[:, 2:] = random.integers(0, 256, (PATTERN, 16), dtype=np.uint8)
    return blocks


def q4_k(std):
    """Blocks of 256 values: a scale and an offset in f16, eight scales and offsets of six bits, values of four bits.
    The scales are equal to the offsets, so that the mean is 0."""
    six = random.integers(32, 64, (PATTERN, 8), dtype=np.uint8)
    blocks = np.empty((PATTERN, 144), np.uint8)
    scale = std / (48 * 4.61)
    blocks[:, :4] = np.array([scale, 7.5 * scale], np.float16).view(np.uint8)
    first, second = six[:, :4], six[:, 4:]
    blocks[:, 4:12] = np.tile(first & 63 | second >> 4 << 6, 2)
    blocks[:, 12:16] = second & 15 | (second & 15) << 4
    blocks[:, 16:] = random.integers(0, 256, (PATTERN, 128), dtype=np.uint8)
    return blocks


def bf16(values):
    return (values.view(np.uint32) >> 16).astype(np.uint16)


PATTERNS = {
    "F32": lambda std: normal * np.float32(std), "F16": lambda std: (normal * np.float32(std)).astype(np.float16),
    "BF16": lambda std: bf16(normal * np.float32(std)), "Q8_0": q8_0, "Q4_0": q4_0, "Q4_K": q4_k,
}


def bytes_of(kind, shape):
    block, size = gguf.GGML_QUANT_SIZES[GGML[kind]]
    return math.prod(shape) // block * size


def weights(name, kind, shape):
    """The bytes of one tensor: matrices and convolutions are random, norms are ones, other vectors are small."""
    if len(shape) > 1:
        pattern = PATTERNS[kind](1 / math.sqrt(math.prod(shape[1:])))
    elif name.endswith((".scale", "running_var")) or "norm" in name and name.endswith("weight"):
        pattern = PATTERNS[kind](0) + 1 if kind != "BF16" else bf16(np.ones(1, np.float32))
    else:
        pattern = PATTERNS[kind](0.01)
    return np.resize(np.ascontiguousarray(pattern).view(np.uint8).reshape(-1), bytes_of(kind, shape))


def write_gguf(path, architecture, tensors, describe=lambda writer: None):
    """tensors: name → (kind, shape)."""
    writer = gguf.GGUFWriter(path, architecture)
    describe(writer)
    for name, (kind, shape) in tensors.items():
        writer.add_tensor_info(name, shape, np.dtype(np.float32), bytes_of(kind, shape), raw_dtype=GGML[kind]) \
            if kind in ("F32", "F16") else \
            writer.add_tensor_info(name, [*shape[:-1], bytes_of(kind, shape[-1:])], np.dtype(np.uint8), bytes_of(kind, shape), raw_dtype=GGML[kind])
    writer.write_header_to_file(), writer.write_kv_data_to_file(), writer.write_ti_data_to_file()
    for name, (kind, shape) in tensors.items():
        writer.write_tensor_data(weights(name, kind, shape))
    writer.close()


def write_safetensors(path, tensors):
    header, end = {}, 0
    for name, (kind, shape) in tensors.items():
        begin, end = end, end + bytes_of(kind, shape)
        header[name] = dict(dtype=kind, shape=shape, data_offsets=[begin, end])
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, (kind, shape) in tensors.items():
            file.write(weights(name, kind, shape))


def layers(tensors, prefix, maps, biases=True):
    """maps: name → (outputs, inputs)."""
    for name, (outputs, inputs) in maps.items():
        tensors[f"{prefix}{name}.weight"] = [outputs, inputs]
        if biases:
            tensors[f"{prefix}{name}.bias"] = [outputs]


def flux_transformer(double_blocks=19, single_blocks=38, guidance=True):
    """Black Forest Labs' names and shapes of FLUX.1 dev, or without guidance of schnell."""
    width, head, text, pooled, found = 3072, 128, 4096, 768, {}
    layers(found, "", {"img_in": (width, 64), "txt_in": (width, text), "final_layer.linear": (64, width),
                       "final_layer.adaLN_modulation.1": (2 * width, width)})
    for name, inputs in (("time", 256), ("vector", pooled), *([("guidance", 256)] * guidance)):
        layers(found, f"{name}_in.", {"in_layer": (width, inputs), "out_layer": (width, width)})
    for block, stream in itertools.product(range(double_blocks), ("img", "txt")):
        layers(found, f"double_blocks.{block}.{stream}_", {
            "mod.lin": (6 * width, width), "attn.qkv": (3 * width, width), "attn.proj": (width, width),
            "mlp.0": (4 * width, width), "mlp.2": (width, 4 * width)})
        for kind in ("query", "key"):
            found[f"double_blocks.{block}.{stream}_attn.norm.{kind}_norm.scale"] = [head]
    for block in range(single_blocks):
        layers(found, f"single_blocks.{block}.", {
            "modulation.lin": (3 * width, width), "linear1": (7 * width, width), "linear2": (width, 5 * width)})
        for kind in ("query", "key"):
            found[f"single_blocks.{block}.norm.{kind}_norm.scale"] = [head]
    return found


def klein_transformer():
    """Black Forest Labs' names and shapes of FLUX.2 klein 4B."""
    width, head, text, hidden, found = 3072, 128, 7680, 9216, {}
    maps = {"img_in": (width, 128), "txt_in": (width, text), "time_in.in_layer": (width, 256), "time_in.out_layer": (width, width),
            "double_stream_modulation_img.lin": (6 * width, width), "double_stream_modulation_txt.lin": (6 * width, width),
            "single_stream_modulation.lin": (3 * width, width), "final_layer.linear": (128, width),
            "final_layer.adaLN_modulation.1": (2 * width, width)}
    layers(found, "", maps, biases=False)
    for block, stream in itertools.product(range(5), ("img", "txt")):
        layers(found, f"double_blocks.{block}.{stream}_", {
            "attn.qkv": (3 * width, width), "attn.proj": (width, width), "mlp.0": (2 * hidden, width), "mlp.2": (width, hidden)}, biases=False)
        for kind in ("query", "key"):
            found[f"double_blocks.{block}.{stream}_attn.norm.{kind}_norm.scale"] = [head]
    for block in range(20):
        layers(found, f"single_blocks.{block}.", {"linear1": (3 * width + 2 * hidden, width), "linear2": (width, width + hidden)}, biases=False)
        for kind in ("query", "key"):
            found[f"single_blocks.{block}.norm.{kind}_norm.scale"] = [head]
    return found


def t5(blocks=24):
    """llama.cpp's names and shapes of T5-XXL's encoder."""
    width, hidden, found = 4096, 10240, {"token_embd.weight": [32128, 4096], "enc.output_norm.weight": [4096]}
    found["enc.blk.0.attn_rel_b.weight"] = [32, 64]
    for block in range(blocks):
        maps = {f"attn_{part}": (width, width) for part in "qkvo"}
        maps |= {"ffn_gate": (hidden, width), "ffn_up": (hidden, width), "ffn_down": (width, hidden)}
        layers(found, f"enc.blk.{block}.", maps, biases=False)
        found |= {f"enc.blk.{block}.{part}_norm.weight": [width] for part in ("attn", "ffn")}
    return found


def qwen3():
    """llama.cpp's names and shapes of Qwen3-4B, whose output is tied to its embeddings."""
    width, head, hidden, found = 2560, 128, 9728, {"token_embd.weight": [151936, 2560], "output_norm.weight": [2560]}
    for block in range(36):
        layers(found, f"blk.{block}.", {
            "attn_q": (32 * head, width), "attn_k": (8 * head, width), "attn_v": (8 * head, width), "attn_output": (width, 32 * head),
            "ffn_gate": (hidden, width), "ffn_up": (hidden, width), "ffn_down": (width, hidden)}, biases=False)
        found |= {f"blk.{block}.{part}_norm.weight": [width] for part in ("attn", "ffn")}
        found |= {f"blk.{block}.attn_{part}_norm.weight": [head] for part in "qk"}
    return found


def clip():
    import torch
    from transformers import CLIPTextConfig, CLIPTextModel
    config = CLIPTextConfig(vocab_size=49408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12)
    with torch.device("meta"):
        tensors = CLIPTextModel(config).state_dict()
    return {f"text_model.{name.removeprefix('text_model.')}": list(value.shape) for name, value in tensors.items() if "position_ids" not in name}


def vae(flux2):
    """The names and shapes of Black Forest Labs' autoencoders."""
    import torch
    from diffusers import AutoencoderKL, AutoencoderKLFlux2
    levels = dict(block_out_channels=(128, 256, 512, 512), layers_per_block=2, down_block_types=("DownEncoderBlock2D",) * 4,
                  up_block_types=("UpDecoderBlock2D",) * 4)
    with torch.device("meta"):
        network = AutoencoderKLFlux2() if flux2 else AutoencoderKL(latent_channels=16, use_quant_conv=False, use_post_quant_conv=False, **levels)
    found = {}
    for name, value in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        name = name if name.startswith("bn.") else vae_name(name, 4)
        name = {"quant_conv": "encoder.quant_conv", "post_quant_conv": "decoder.post_quant_conv"}.get(name.split(".")[0], name.split(".")[0]) + name[name.index("."):]
        square = any(f"attn_1.{part}.weight" in name for part in ("q", "k", "v", "proj_out"))
        found[name] = list(value.shape) + [1, 1] * square
    return found


def made_up_words(count):
    """Words of one letter, then of two, and so on."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    lengths = (itertools.product(letters, repeat=length) for length in itertools.count(1))
    return ["".join(word) for word in itertools.islice(itertools.chain.from_iterable(lengths), count)]


def t5_tokenizer(writer):
    tokens = ["<pad>", "</s>", "<unk>", "▁"]
    tokens += [start + word for word in made_up_words(15998) for start in ("▁", "")]
    tokens += [f"<extra_id_{99 - i}>" for i in range(100)] + [f"[PAD{i}]" for i in range(32100, 32128)]
    writer.add_tokenizer_model("t5")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0 if i < 3 or i >= 32000 else -2 - i / 3000 for i in range(len(tokens))])
    writer.add_token_types([3, 3, 2] + [1] * 31997 + [4] * 100 + [5] * 28)
    writer.add_unk_token_id(2)


def qwen_tokenizer(writer):
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    bytes_ = [chr(b) for b in printable] + [chr(256 + i) for i in range(256 - len(printable))]
    merges = [(word[:-1], word[-1]) for word in made_up_words(151387 + 26) if len(word) > 1][:151387]
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokens = bytes_ + ["".join(pair) for pair in merges] + special
    types = [1] * (len(tokens) - 3) + [3] * 3
    for text, special in (("<think>", 4), ("</think>", 4)):
        tokens.append(text), types.append(special)
    types += [5] * (151936 - len(tokens))
    tokens += [f"[PAD{i}]" for i in range(len(tokens), 151936)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges([" ".join(pair) for pair in merges])


def with_kinds(shapes, matrices, others="F32", kept=()):
    """Matrices that are in `kept`, or whose rows are not whole blocks, stay in f16."""
    block = gguf.GGML_QUANT_SIZES[GGML[matrices]][0]
    return {name: (others if len(shape) == 1 else "F16" if shape[-1] % block or name in kept else matrices, shape) for name, shape in shapes.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("model", choices=["flux", "klein"])
    parser.add_argument("--matrices", choices=["q4_k", "q8_0"], default="q4_k", help="of FLUX.1's transformer")
    asked = parser.parse_args()
    folder, flux = asked.folder, asked.model == "flux"
    folder.mkdir(parents=True, exist_ok=True)
    scalars = lambda shapes, kind: {name: (kind, shape) for name, shape in shapes.items()}
    if flux:
        write_gguf(folder / f"flux1-dev-{asked.matrices}.gguf", "flux", with_kinds(flux_transformer(), asked.matrices.upper()))
        made = {"t5": folder / "t5-v1_1-xxl-encoder-Q8_0.gguf"}
        if not made["t5"].exists():
            write_gguf(made["t5"], "t5encoder", with_kinds(t5(), "Q8_0", kept=["enc.blk.0.attn_rel_b.weight"]), t5_tokenizer)
            write_safetensors(folder / "clip_l.safetensors", scalars(clip(), "F16"))
            write_safetensors(folder / "ae.safetensors", scalars(vae(False), "F32"))
    else:
        write_safetensors(folder / "flux-2-klein-4b.safetensors", scalars(klein_transformer(), "BF16"))
        write_gguf(folder / "Qwen3-4B-Q8_0.gguf", "qwen3", with_kinds(qwen3(), "Q8_0"), qwen_tokenizer)
        write_safetensors(folder / "flux2-vae.safetensors", scalars(vae(True), "F32"))


if __name__ == "__main__":
    main()
