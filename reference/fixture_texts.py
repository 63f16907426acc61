"""Golden token ids of hard lines, and golden renderings of the chat template.

Lines cover scripts, composed and decomposed letters, joined emoji, digits of several
scripts, contractions, code, runs of spaces and line ends, invisible characters, and
special tokens inside text.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from fixture_files import write_json
from fixture_tokenizer import CHAT_TEMPLATE, load_tokenizer

LINES = [
    "", " ", "  ", "   ", "\t", "\n", "\n\n", "\r\n", "\r", " \n", "\n ", "  \n  ", "\t\t\n", "\n\t\n", " \r\n \r\n", "\u00a0",
    "\u3000", "a\u00a0b", "\u2003\u2003x", "\u200b", "a\u200bb", "\ufeffx", "x\ufeff", "\u0000", "a\u0000b", "\u001b[0m", "\u007f",
    "\u0085", "\u2028", "\u2029a", "\u000b\u000c",
    "hello", "Hello world", " Hello  world ", "hello   world    !", "a b  c   d    e", "trailing   ", "   leading",
    "a\n\nb", "a\n \nb", "a \n b", "a  \n\n  b", "one\r\ntwo\r\n\r\nthree", "tab\tseparated\tvalues\t\tend", "end.\n", "end.\n\n\n",
    "...\n...", "!\n\n?\r\n", "({[\n]})", " .\n", " \u3002\n",
    "I'll wait", "they've", "it's", "isn't", "I'm", "you'd", "we're", "IT'S", "They'LL", "'Sunday'", "'s", "'t 't't", "rock'n'roll",
    "\u2019s it\u2019s", "x'\u017f", "'re're", "''ll", "can't've", "d'accord l'été", "'D 'M 'VE",
    "0", "1", "12", "123", "1234567890", "3.14159", "1,000,000.00", "-42", "+7", "1e-6", "0x1F", "v2.0.1", "2nd 3rd", "10:45",
    "50%", "$9.99", "№5", "½", "Ⅷ", "²³", "٣٤٥", "१२३", "一二三", "１２３", "𝟏𝟐", "a1b2c3", "1a", "7-11", "(555) 010-1234",
    "Where is the red ball now?", "What moved first, and where did it stop?", "You are a helpful assistant.",
    "Красный мяч катится влево.", "ЁЖИК ёжик й", "и\u0306 е\u0308", "Ελληνικά ΐ ς Σ", "Größe, Straße, Übung", "café cafe\u0301",
    "naïve nai\u0308ve", "Å \u212b A\u030a", "ﬁ ﬂ ﬀ", "İstanbul ıI", "Đường phố Việt Nam", "Tiê\u0301ng Viê\u0323t", "Čeština ř ů",
    "polski ąęłżź", "íslenska þðæ", "magyar őű", "Türkçe ğş", "română ăâîșț", "Latviešu ģķļņ", "қазақ ұү", "Српски љњ",
    "עברית שלום", "שָׁלוֹם", "العربية مرحبا", "اَلْعَرَبِيَّةُ", "فارسی می\u200cروم", "اردو", "\u202bab\u202c", "हिन्दी नमस्ते", "क्षत्रिय", "বাংলা", "தமிழ்",
    "తెలుగు", "ไทย สวัสดี", "ກ", "ភាសាខ្មែរ", "မြန်မာ", "ქართული", "Հայերեն", "አማርኛ", "བོད་ཡིག", "ᠮᠣᠩᠭᠣᠯ", "ᏣᎳᎩ", "ᚠᚢᚦ", "𐍈𐌰", "𓀀𓁐",
    "红色的球现在在哪里？", "红色的球，蓝色的方块。", "中文English混合123", "你好 世界", "日本語のテキスト", "ひらがなカタカナ漢字", "ｶﾀｶﾅ ﾊﾟ", "が か\u3099", "한국어 안녕",
    "\u1112\u1161\u11ab", "각 \u1100\u1161\u11a8", "臺灣、香港", "「引用」『二重』", "～！＠＃", "𠮷野家", "㊗️㎏", "豈 \uf900",
    "😀", "😀😃", "🚗🚲⭐", "👍🏽", "👩\u200d👩\u200d👧\u200d👦", "👩🏿\u200d🚀", "🏳️\u200d🌈", "🇫🇷🇩🇪", "❤️ ❤", "☎️☎︎", "1️⃣2️⃣", "😶\u200d🌫️", "text😀text", "😀 text",
    " 😀", "  😀", "🧑\u200d🤝\u200d🧑", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "¯\\_(ツ)_/¯", "(╯°□°）╯︵ ┻━┻", "→←↑↓⇒", "∀x∈ℝ: x²≥0", "∑∫√∞≈≠",
    "½±¼", "€£¥₽₿", "™®©", "†‡§¶", "“quotes” ‘single’ «guillemets» „low“", "em—dash en–dash hy-phen soft\u00adhyphen", "…", "a…b",
    "z̸͍̔a̶l̴g̵o̷", "e\u0301\u0327", "e\u0327\u0301", "\u0301", "a\u0301\u0301", "x\u20d7", "ö\u0323",
    "for (let i = 0; i < 3; i++) { total += i; }", "def f(x):\n    return x ** 2\n", "if (a && b || !c) {}", "a->b::c<d>()", "#include <stdio.h>",
    "SELECT * FROM t WHERE a = 'b';", "https://example.org/a?b=c&d=%20#e", "user@example.org", "C:\\dir\\file.txt", "/usr/bin/env", "{\"a\": [1, 2, {\"b\": null}]}",
    "<div class=\"x\">&nbsp;</div>", "```js\nconst x = `a${b}`;\n```", "\\n \\t \\u0041", "x_y __init__ camelCase PascalCase", "a=b+c*d/e-f%g", "--flag=value -x",
    "!!!???...", "---===###", "/* comment */", "// comment", "\"\"\"doc\"\"\"", "~`@#$%^&*()_+-={}[]|;:,.<>?", "$$x^2$$", "| a | b |\n|---|---|", "- [ ] todo\n- [x] done",
    "\tif x:\n\t\ty\n", "    four\n        eight\n", "a;  b;   c;    d", "0.1+0.2!=0.3", "<!-- -->", "a\\\nb",
    "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", "a<|im_end|>b", " <|im_end|> ", "\n<|im_end|>\n",
    "<|vision_start|><|image_pad|><|vision_end|>", "<|vision_start|><|video_pad|><|video_pad|><|vision_end|>What?", "<|box_start|>(1,2),(3,4)<|box_end|>",
    "<|object_ref_start|>the red ball<|object_ref_end|>", "<|quad_start|><|quad_end|>", "<|vision_pad|>", "<|im_start", "<|im_start|", "<im_start|>", "< |im_start|>",
    "<|IM_START|>", "<|im_start|><|im_start|>", "<|im_end|>'s", "<tool_call>\n{\"name\": \"f\"}\n</tool_call>", "<tool_call></tool_call>", "<tool_call", "x<tool_call>y", " <tool_call> ",
    "<|unknown|>", "[PAD400]", "<s></s>", "e\u0301<|im_end|>\u0301", "<|im_end|>  \n", "1<|image_pad|>2", "<|endoftext|><|endoftext|>",
]
MIXED_LINES = 40

CONVERSATIONS = [
    ("text", [{"role": "user", "content": "Hello!"}]),
    ("system", [{"role": "system", "content": "Answer in one word."}, {"role": "user", "content": "Why?"}]),
    ("image", [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is this?"}]}]),
    (
        "two-images",
        [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Compare "},
                    {"type": "image", "image": "a.png"},
                    {"type": "text", "text": " with "},
                    {"type": "image_url", "image_url": {"url": "b.png"}},
                    {"type": "text", "text": "."},
                ],
            }
        ],
    ),
    ("video", [{"role": "user", "content": [{"type": "video"}, {"type": "text", "text": "What moved first?"}]}]),
    (
        "turns",
        [
            {"role": "system", "content": [{"type": "text", "text": "You watch a camera."}]},
            {"role": "user", "content": [{"type": "video", "video": "a.mp4"}, {"type": "text", "text": "Where is the ball?"}]},
            {"role": "assistant", "content": "On the left."},
            {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "And\nnow?"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "It stopped. "}]},
            {"role": "user", "content": "  Spaces  and <|im_end|> inside  "},
        ],
    ),
    ("empty", [{"role": "user", "content": ""}, {"role": "assistant", "content": []}]),
]


def write_texts(folder: Path) -> None:
    tokenizer = load_tokenizer(folder / "tokenizer.json")
    lines = [{"text": line, "ids": tokenizer(line, add_special_tokens=False).input_ids} for line in _all_lines()]
    write_json(folder / "tokenizer-lines.json", {}, lines, "lines")
    records = []
    for name, messages in CONVERSATIONS:
        for prompt in (True, False):
            for vision_id in (False, True) if name in ("two-images", "turns") else (False,):
                options = {"add_generation_prompt": prompt, "add_vision_id": vision_id}
                text = tokenizer.apply_chat_template(messages, tokenize=False, **options)
                records.append(
                    {"name": name, "addGenerationPrompt": prompt, "addVisionId": vision_id, "messages": messages, "text": text}
                )
    write_json(folder / "chat-template.json", {"template": CHAT_TEMPLATE}, records)


def check_texts(folder: Path) -> None:
    tokenizer = load_tokenizer(folder / "tokenizer.json")
    lines = json.loads((folder / "tokenizer-lines.json").read_text("utf-8"))["lines"]
    assert [line["text"] for line in lines] == _all_lines()
    for line in lines:
        assert tokenizer(line["text"], add_special_tokens=False).input_ids == line["ids"], line["text"]
    chat = json.loads((folder / "chat-template.json").read_text("utf-8"))
    for case in chat["cases"]:
        text = tokenizer.apply_chat_template(
            case["messages"], tokenize=False, chat_template=chat["template"],
            add_generation_prompt=case["addGenerationPrompt"], add_vision_id=case["addVisionId"],
        )
        assert text == case["text"], case["name"]


def _all_lines() -> list[str]:
    """The lines above and random joins of them, with and without spaces between."""
    choose = np.random.default_rng(3)
    mixed = []
    for _ in range(MIXED_LINES):
        parts = [LINES[i] for i in choose.integers(0, len(LINES), 3)]
        mixed.append(["", " ", "\n", "  "][choose.integers(0, 4)].join(parts))
    return LINES + mixed
