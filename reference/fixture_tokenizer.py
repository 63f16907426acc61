"""The tokenizers and the chat template of the fixtures.

Small byte-level BPEs: the 256 bytes, some merges learnt from a few lines in several scripts,
and special tokens. That of the Qwen-VL families brings text to NFC, has Qwen2's
pre-tokenisation pattern and the special tokens of Qwen2-VL; two added tokens are not special,
as in later Qwen releases. That of LLaVA-OneVision has Qwen2's first three special tokens and two
pads. That of SmolVLM2 is of SmolLM's kind: digits alone, else GPT-2's.
"""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

SPECIAL_TOKENS = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|object_ref_start|>",
    "<|object_ref_end|>",
    "<|box_start|>",
    "<|box_end|>",
    "<|quad_start|>",
    "<|quad_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
]
PLAIN_ADDED_TOKENS = ["<tool_call>", "</tool_call>"]
SMOLLM_SPECIAL_TOKENS = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<fake_token_around_image>",
    "<global-img>",
    "<image>",
    "<end_of_utterance>",
]
ONEVISION_SPECIAL_TOKENS = [*SPECIAL_TOKENS[:3], "<image>", "<video>"]
MERGES = 128

# Qwen2's pre-tokenisation pattern: part of the format, any reader must use the same.
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

CORPUS = """
system You are a helpful assistant. user assistant
A red ball rolls to the left, then a blue box moves up and the green star stops.
Where is the red ball now? What moved first? How many boxes were there? When did it stop?
It was in the top left corner; there were three of them, and the last one isn't there.
The camera sees a street: two cars, one bicycle, a dog that they've followed, and I'll wait.
for (let i = 0; i < frames.length; i++) { total += frames[i].tokens; }  // count the tokens
def ask(self, question: str) -> str:
    return self.model.answer(question)

Красный мяч катится влево, потом синий куб поднимается вверх. Где сейчас красный мяч?
红色的球向左滚动，然后蓝色的方块向上移动。红色的球现在在哪里？
Der rote Ball rollt nach links; wo ist er jetzt? Größe, Übung, Straße.
La pelota roja rueda a la izquierda. ¿Dónde está ahora? où est la balle à présent?
😀 😃 🚗 🚲 ⭐ ... --- === ### !!! ???
"""

# Renders exactly what Qwen2-VL's own template renders for text, image and video parts.
CHAT_TEMPLATE = """
{%- set seen = namespace(images=0, videos=0) -%}
{%- if messages[0].role != 'system' -%}
{{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' -}}
{%- endif -%}
{%- for message in messages -%}
{{- '<|im_start|>' + message.role + '\\n' -}}
{%- if message.content is string -%}
{{- message.content -}}
{%- else -%}
{%- for part in message.content -%}
{%- if part.type == 'image' or 'image' in part or 'image_url' in part -%}
{%- set seen.images = seen.images + 1 -%}
{%- if add_vision_id -%}{{- 'Picture ' ~ seen.images ~ ': ' -}}{%- endif -%}
{{- '<|vision_start|><|image_pad|><|vision_end|>' -}}
{%- elif part.type == 'video' or 'video' in part -%}
{%- set seen.videos = seen.videos + 1 -%}
{%- if add_vision_id -%}{{- 'Video ' ~ seen.videos ~ ': ' -}}{%- endif -%}
{{- '<|vision_start|><|video_pad|><|vision_end|>' -}}
{%- elif 'text' in part -%}
{{- part.text -}}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{{- '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|im_start|>assistant\\n' -}}
{%- endif -%}
""".strip()

# Qwen3-VL's own writes no system message unless there is one.
CHAT_TEMPLATE_PLAIN = CHAT_TEMPLATE[: CHAT_TEMPLATE.index("{%- if messages[0]")] + CHAT_TEMPLATE[
    CHAT_TEMPLATE.index("{%- for message in messages") :
]


def train_tokenizer(kind: str = "qwen2") -> Tokenizer:
    """Bytes are ids 0-255, then the merges, then the added tokens. kind: `qwen2`, `smollm` or `onevision`."""
    smollm = kind == "smollm"
    tokenizer = _empty_smollm() if smollm else _empty_tokenizer()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=256 + MERGES, initial_alphabet=alphabet, special_tokens=[], show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS.splitlines(keepends=True), trainer)
    special = {"qwen2": SPECIAL_TOKENS, "smollm": SMOLLM_SPECIAL_TOKENS, "onevision": ONEVISION_SPECIAL_TOKENS}
    tokenizer.add_special_tokens(special[kind])
    if kind != "qwen2":
        return tokenizer
    plain = [AddedToken(token, special=False, normalized=False) for token in PLAIN_ADDED_TOKENS]
    tokenizer.add_tokens(plain)
    return tokenizer


def _empty_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    split = pre_tokenizers.Split(Regex(PATTERN), behavior="isolated")
    to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, to_bytes])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


def _empty_smollm() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    digits = pre_tokenizers.Digits(individual_digits=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


def load_tokenizer(path: Path) -> PreTrainedTokenizerFast:
    """The transformers tokenizer around `path`, a `tokenizer.json`."""
    wrapped = PreTrainedTokenizerFast(
        tokenizer_file=str(path), eos_token="<|im_end|>", pad_token="<|endoftext|>", clean_up_tokenization_spaces=False
    )
    wrapped.chat_template = CHAT_TEMPLATE
    return wrapped


def token_ids(path: Path) -> dict[str, int]:
    """Added tokens by their text."""
    return {token["content"]: token["id"] for token in json.loads(path.read_text("utf-8"))["added_tokens"]}


def printable_ascii_ids(tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """Ordinary tokens made of characters from space to tilde only."""
    special = set(tokenizer.get_added_vocab().values())
    texts = {token: tokenizer.decode([token]) for token in range(len(tokenizer)) if token not in special}
    return [token for token, text in texts.items() if text and all(" " <= char <= "~" for char in text)]
