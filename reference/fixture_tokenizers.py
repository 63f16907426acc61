"""Golden token ids for every kind of pre-tokeniser, by Hugging Face `tokenizers`.

Each kind is the pipeline of a published `tokenizer.json` around a small vocabulary learnt
from the lines themselves. `tokenizers/lines.json.gz` has the lines, `KIND.json.gz` the
tokenizer as the metadata of a GGUF file and the ids of every line.

    python reference/fixture_tokenizers.py KIND FOLDER OUT.json.gz

does the same with a true vocabulary: `vocab.json`, `merges.txt` and `tokenizer_config.json`
of a model. tokenizer-kinds.test.ts compares with what RINGSIDE_TOKENIZERS names, too.
"""

from __future__ import annotations

import gzip
import json
import random
import sys
import unicodedata
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from fixture_texts import LINES
from fixture_tokenizer import PLAIN_ADDED_TOKENS, SPECIAL_TOKENS

MERGES = 1500
# Tokens that no merge leads to, as published vocabularies have some.
UNMERGED = ["Hello", "ĠÂ½", "ðŁĺĢðŁĺĥ", "ĠEnglish", "...?", "678", "Ġ"]

CONTROL, USER_DEFINED = 3, 4


def _words(letters: str, numbers: str) -> pre_tokenizers.PreTokenizer:
    """A pattern of the GPT-4 form, which Qwen2, Qwen3.5 and Llama 3 vary."""
    pattern = (
        rf"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?{letters}+|{numbers}"
        rf"| ?[^\s{letters.strip('[]')}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    split = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def _smollm() -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
    )


# Names as llama.cpp's converter gives them; `lfm2` is `llama-bpe`. Normaliser, pre-tokeniser, ignore_merges.
KINDS = {
    "qwen2": (normalizers.NFC, _words(r"\p{L}", r"\p{N}"), False),
    "qwen35": (normalizers.NFC, _words(r"[\p{L}\p{M}]", r"\p{N}"), False),
    "llama-bpe": (None, _words(r"\p{L}", r"\p{N}{1,3}"), True),
    "smollm": (None, _smollm(), False),
}


def hard_lines() -> list[str]:
    """The lines of `fixture_texts`, words in every script, and random joins of all kinds of characters.

    Characters are those that Python knows; what is newer, engines may see differently. Left out are lines whose
    composed form `tokenizers` makes by other tables than Python and all browsers: its are of Unicode 9, so it leaves
    in place combining marks that came later.
    """
    choose = random.Random(11)
    kinds: dict[str, list[str]] = {}
    scripts: dict[str, list[str]] = {}
    for code in range(0x20000):
        char = chr(code)
        category = unicodedata.category(char)
        if category in ("Cn", "Cs", "Co"):
            continue
        kinds.setdefault(category, []).append(char)
        if category[0] in "LMN":
            scripts.setdefault(unicodedata.name(char, "?").split()[0], []).append(char)
    lines = list(LINES)
    for chars in scripts.values():
        words = ["".join(choose.choices(chars, k=choose.randint(1, 7))) for _ in range(4)]
        lines += [" ".join(words), f"{words[0]}{choose.choice('.,!? -')}{words[1]}'s{choose.randint(0, 9999)}"]
    special = [*SPECIAL_TOKENS, *PLAIN_ADDED_TOKENS]
    joints = [" ", "  ", "   ", "\t", "\n", "\n\n", "\r\n", " \n", "\n ", "\u00a0", "\u3000", "\u0085", "\ufeff", "'", "'s", "'LL", "'\u017f", "\u200d", "\ufe0f", "\u0000"]
    for _ in range(1700):
        parts = []
        for _ in range(choose.randint(2, 9)):
            draw = choose.random()
            if draw < 0.45:
                parts.append("".join(choose.choices(kinds[choose.choice(list(kinds))], k=choose.randint(1, 4))))
            elif draw < 0.8:
                parts.append(choose.choice(joints))
            elif draw < 0.95:
                parts.append(choose.choice(["a", "Hello", "über", "1", "678", "12345", "!", "...?", "();", "é", "e\u0301", "😀😃"]))
            else:
                parts.append(choose.choice(special))
        lines.append("".join(parts))
    composed = normalizers.NFC()
    return [line for line in lines if composed.normalize_str(line) == unicodedata.normalize("NFC", line)]


def small_tokenizer(kind: str, lines: list[str]) -> Tokenizer:
    tokenizer = _tokenizer(kind, models.BPE())
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=256 + MERGES, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([*lines, *LINES], trainer)
    learnt = json.loads(tokenizer.to_str())["model"]
    vocab, merges = learnt["vocab"], [tuple(merge) for merge in learnt["merges"]]
    for token in UNMERGED:
        vocab.setdefault(token, len(vocab))
    added = [(token, True) for token in SPECIAL_TOKENS] + [(token, False) for token in PLAIN_ADDED_TOKENS]
    return _with_vocabulary(kind, vocab, merges, added)


def true_tokenizer(kind: str, folder: Path) -> Tokenizer:
    """From the files of a published model."""
    vocab = json.loads((folder / "vocab.json").read_text("utf-8"))
    lines = (folder / "merges.txt").read_text("utf-8").splitlines()
    merges = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]
    config = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    added = sorted((int(id), token) for id, token in config["added_tokens_decoder"].items())
    return _with_vocabulary(kind, vocab, merges, [(token["content"], token["special"]) for _, token in added])


def _with_vocabulary(kind: str, vocab: dict[str, int], merges: list[tuple[str, str]], added: list[tuple[str, bool]]) -> Tokenizer:
    tokenizer = _tokenizer(kind, models.BPE(vocab, merges, ignore_merges=KINDS[kind][2]))
    for token, special in added:
        wrapped = AddedToken(token, special=special, normalized=False)
        (tokenizer.add_special_tokens if special else tokenizer.add_tokens)([wrapped])
    return tokenizer


def _tokenizer(kind: str, model: models.BPE) -> Tokenizer:
    tokenizer = Tokenizer(model)
    normalizer, tokenizer.pre_tokenizer, _ = KINDS[kind]
    if normalizer:
        tokenizer.normalizer = normalizer()
    return tokenizer


def golden(kind: str, tokenizer: Tokenizer, lines: list[str]) -> dict:
    """The tokenizer as GGUF metadata, with the keys of llama.cpp's converter, and the ids of all lines."""
    data = json.loads(tokenizer.to_str())
    tokens = [tokenizer.id_to_token(id) for id in range(tokenizer.get_vocab_size())]
    types = [1] * len(tokens)
    for token in data["added_tokens"]:
        types[token["id"]] = CONTROL if token["special"] else USER_DEFINED
    return {
        "metadata": {
            "tokenizer.ggml.model": "gpt2",
            "tokenizer.ggml.pre": kind,
            "tokenizer.ggml.tokens": tokens,
            "tokenizer.ggml.token_type": types,
            "tokenizer.ggml.merges": [" ".join(merge) for merge in data["model"]["merges"]],
        },
        "ids": [tokenizer.encode(line, add_special_tokens=False).ids for line in lines],
    }


def write_tokenizers(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    lines = hard_lines()
    _write(folder / "lines.json.gz", lines)
    for kind in KINDS:
        _write(folder / f"{kind}.json.gz", golden(kind, small_tokenizer(kind, lines), lines))


def check_tokenizers(folder: Path) -> None:
    """Reads the lines and tokenizers as they lie there; learning again may give others."""
    lines = _read(folder / "lines.json.gz")
    for kind in KINDS:
        stored = _read(folder / f"{kind}.json.gz")
        tokens, types = (stored["metadata"][f"tokenizer.ggml.{key}"] for key in ("tokens", "token_type"))
        vocab = {token: id for id, token in enumerate(tokens) if types[id] == 1}
        merges = [tuple(merge.split(" ")) for merge in stored["metadata"]["tokenizer.ggml.merges"]]
        added = [(token, types[id] == CONTROL) for id, token in enumerate(tokens) if types[id] != 1]
        tokenizer = _with_vocabulary(kind, vocab, merges, added)
        assert [tokenizer.encode(line, add_special_tokens=False).ids for line in lines] == stored["ids"], kind


def _write(path: Path, data: object) -> None:
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    path.write_bytes(gzip.compress(text.encode("utf-8"), compresslevel=9, mtime=0))


def _read(path: Path):
    return json.loads(gzip.decompress(path.read_bytes()))


if __name__ == "__main__":
    kind, source, out = sys.argv[1:]
    lines = hard_lines()
    _write(Path(out), golden(kind, true_tokenizer(kind, Path(source)), lines))
