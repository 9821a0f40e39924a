"""A CLIP-style byte-pair tokenizer of the world's own captions."""
import json
from pathlib import Path

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from . import world

START, END = "<|startoftext|>", "<|endoftext|>"
WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def byte_letters():
    """CLIP's printable letter for each byte, in its vocabulary's order."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    return [chr(b) for b in printable] + [chr(256 + i) for i in range(len(others))]


def train(folder, captions=60_000, size=1024):
    """Writes vocab.json, merges.txt and the two small configuration files to `folder`."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    texts = (world.caption(world.scene(s), s) for s in range(10_000_000, 10_000_000 + captions))
    model = Tokenizer(models.BPE(unk_token=END, end_of_word_suffix="</w>"))
    model.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    model.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(WORDS), "removed", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    model.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=size - 258, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), end_of_word_suffix="</w>",
        special_tokens=[], show_progress=False, min_frequency=2))
    merges = [m if isinstance(m, str) else " ".join(m) for m in json.loads(model.to_str())["model"]["merges"]]
    letters = byte_letters()
    words = letters + [c + "</w>" for c in letters]
    merges = merges[: size - 2 - len(words)]
    words = list(dict.fromkeys(words + [m.replace(" ", "") for m in merges])) + [START, END]
    (folder / "vocab.json").write_text(json.dumps({w: i for i, w in enumerate(words)}, ensure_ascii=False))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    special = dict(bos_token=START, eos_token=END, pad_token=END, unk_token=END)
    (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=1))
    (folder / "tokenizer_config.json").write_text(json.dumps(dict(
        special, add_prefix_space=False, do_lower_case=True, errors="replace", model_max_length=48,
        tokenizer_class="CLIPTokenizer"), indent=1))
