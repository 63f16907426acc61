"""The byte-level BPE tokenizer of Toybox: Qwen2's kind, 1,024 tokens, trained on its questions.

`python tokenizer.py` writes tokenizer.json beside this file. The one committed is from an earlier set of
wordings, and stays: weights go with it, and it spells any text.
"""

from functools import lru_cache
from random import Random

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from checkpoint import HERE
from outside import CHAT, FALLBACK, OTHER
from questions import PAST, PRESENT, ask_type
from timeline import Timeline, moments
from world import DIGITS, LETTERS, compose

MOST_TOKENS = 1024
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>",
            "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"]
QWEN2_SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
               r"|\s*[\r\n]+|\s+(?!\S)|\s+")
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' or 'image' in part or 'image_url' in part %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif part['type'] == 'video' or 'video' in part %}<|vision_start|><|video_pad|><|vision_end|>"
    "{% elif 'text' in part %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")


def corpus(streams: int = 4000):
    """Questions and answers about random unseen streams, plus every chat line and every glyph."""
    rng = Random(7)
    for stream in range(streams):
        draw, seconds = np.random.default_rng((7, stream)), []
        for _ in range(rng.randint(1, 4)):
            length = int(draw.integers(1, 7))
            seconds += moments(length, compose(draw, length)[0])
        line = Timeline(seconds)
        for kind in [*PRESENT, *PAST]:
            if question := ask_type(rng, kind, line):
                yield from (question.text, question.answer, question.answer)
    for _ in range(60):
        yield from (text for wordings, answer in CHAT for text in (*wordings, answer))
        yield from (*OTHER, FALLBACK, "user", "assistant")
    for glyph in DIGITS + LETTERS:
        yield from [f"I see the letter {glyph}. the letter {glyph} and a"] * 100


def build() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(QWEN2_SPLIT), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=MOST_TOKENS - len(SPECIALS), show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.add_special_tokens(SPECIALS)
    return tokenizer


class Text:
    """The trained tokenizer with its special ids at hand."""

    def __init__(self):
        self.tokenizer = Tokenizer.from_file(str(HERE / "tokenizer.json"))
        self.special = {name: self.tokenizer.token_to_id(name) for name in SPECIALS}
        self.im_end = self.special["<|im_end|>"]
        self.vision_end = self.special["<|vision_end|>"]
        self.open_user = self.encode("<|im_start|>user\n")
        self.open_vision = [self.special["<|vision_start|>"]]
        self.open_answer = self.encode("<|im_end|>\n<|im_start|>assistant\n")
        self.next_turn = self.encode("<|im_end|>\n<|im_start|>user\n")
        self.encode = lru_cache(200_000)(self.encode)

    def encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def pieces(self) -> list[str]:
        """What every token spells, by id."""
        return [self.tokenizer.decode([i], skip_special_tokens=False) for i in range(self.tokenizer.get_vocab_size())]


if __name__ == "__main__":
    trained = build()
    trained.save(str(HERE / "tokenizer.json"))
    print(trained.get_vocab_size(), "tokens")
