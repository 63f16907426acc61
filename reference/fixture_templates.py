"""Golden renderings of chat templates of published models, which lie in templates/.

Every template goes through the same conversations: text, images and videos in one and
several turns, with and without a system prompt, with and without a prompt for an answer.
"""

from __future__ import annotations

import json
from pathlib import Path

from fixture_files import write_json
from fixture_tokenizer import load_tokenizer

TEMPLATES = Path(__file__).parent / "templates"
BOS, EOS = "<|startoftext|>", "<|im_end|>"


def _turn(role: str, *parts: str) -> dict:
    """A message of parts: `image` and `video` stand for media, anything else is text."""
    media = ("image", "video")
    return {"role": role, "content": [{"type": p} if p in media else {"type": "text", "text": p} for p in parts]}


def _turns(first: str, second: str) -> list[dict]:
    return [
        _turn("user", first, "Where is the ball?"),
        _turn("assistant", "On the left."),
        _turn("user", second, "And\nnow?"),
        _turn("assistant", "It stopped."),
        _turn("user", "Is <|im_end|> special  here?"),
    ]


SYSTEM = _turn("system", "You watch a camera.")
CONVERSATIONS = {
    "text": [_turn("user", "Hello!")],
    "image": [_turn("user", "image", "What is this?")],
    "video": [_turn("user", "video", "What moved first?")],
    "two images": [_turn("user", "Compare ", "image", " with ", "image", ".")],
    "image after text": [_turn("user", "What is this? ", "image")],
    **{f"{medium} turns": _turns(medium, medium) for medium in ("video", "image")},
    "turns": _turns("video", "image"),
    "strings": [{"role": "user", "content": "Hello!"}, {"role": "assistant", "content": "Yes?"}, {"role": "user", "content": "Bye."}],
}


def write_templates(folder: Path) -> None:
    write_json(folder / "templates.json", {"bosToken": BOS, "eosToken": EOS, "conversations": _conversations()}, _cases(folder), "cases")


def check_templates(folder: Path) -> None:
    golden = json.loads((folder / "templates.json").read_text("utf-8"))
    assert golden["conversations"] == _conversations()
    assert golden["cases"] == _cases(folder)


def _conversations() -> dict[str, list[dict]]:
    return CONVERSATIONS | {f"{name}, system": [SYSTEM, *messages] for name, messages in CONVERSATIONS.items()}


def _cases(folder: Path) -> list[dict]:
    tokenizer = load_tokenizer(folder / "tokenizer.json")
    tokenizer.bos_token, tokenizer.eos_token = BOS, EOS
    cases = []
    for path in sorted(TEMPLATES.glob("*.jinja")):
        template = path.read_text("utf-8")
        for name, messages in _conversations().items():
            for prompt in (True, False):
                text = tokenizer.apply_chat_template(
                    messages, chat_template=template, tokenize=False, add_generation_prompt=prompt, enable_thinking=False
                )
                if name.startswith("strings") and "Bye." not in text:
                    continue  # it takes lists of parts only, and loses what is said
                cases.append({"template": path.stem, "conversation": name, "addGenerationPrompt": prompt, "text": text})
    return cases
