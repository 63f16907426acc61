"""Which fixtures exist: their architectures and the prompts tried on each.

A prompt is a list of parts: text, `image(h, w)` or `video(frames, h, w, fps)`, sides in
patches, and replies between one message of the user's and the next. Together
the table covers query/key head ratios 1, 2, 3 and 6, head
dimensions 32, 64, 80 and 128 (32, 40 and 80 in the encoder), tied and untied heads,
odd depths, ids without a token, every stored type, grids longer than wide and wider
than long, an odd number of frames, and text before, between and after media.
"""

from __future__ import annotations

from dataclasses import dataclass

from fixture_models import Shape


@dataclass(frozen=True)
class Part:
    kind: str
    frames: int
    height: int
    width: int
    fps: float = 2.0


@dataclass(frozen=True)
class Reply:
    """An answer of the model's; what follows is the user's next message."""

    text: str


def image(height: int, width: int) -> Part:
    return Part("image", 1, height, width)


def video(frames: int, height: int, width: int, fps: float = 2.0) -> Part:
    return Part("video", frames, height, width, fps)


@dataclass(frozen=True)
class Case:
    """parts: a user's message, or several with replies between. chat: through the chat template, else as it stands.

    QUESTION in a text is replaced by a question and some words that the seed chooses.
    """

    name: str
    parts: tuple
    chat: bool = True


QUESTIONS = [
    "Where is the red ball now?",
    "What moved first, and where did it stop?",
    "How many boxes were there?",
    "Где сейчас красный мяч?",
    "红色的球现在在哪里？",
    "for (let i = 0; i < 3; i++) { total += i; } // why 3?",
    "Is it  left   or right?\n\n(One word, please.)",
    "Größe und Straße: wo ist er jetzt? 🚗🚲",
    "I'll wait. They've said it isn't there; who's right?",
    "1234567890 and 3.14 and 2nd",
]

TEXT = Case("text", ("QUESTION",))
IMAGE = Case("image", (image(4, 6), "QUESTION"))
TALL_IMAGE = Case("image-tall", ("Look at this: ", image(10, 4), " QUESTION"))
TWO_IMAGES = Case("two-images", ("First ", image(4, 6), " then ", image(10, 4), " QUESTION"))
VIDEO_2 = Case("video-2", ("A clip: ", video(4, 6, 2), "QUESTION"))
VIDEO_ODD = Case("video-5-odd", (video(9, 2, 10), "QUESTION"))
MIXED = Case("image-video", ("QUESTION ", image(4, 6), " or ", video(3, 6, 4), " ?"))
# More temporal patches than merged rows or columns: see `mrope_positions`.
VIDEO_8 = Case("video-8-long", (video(16, 2, 6), " QUESTION"))
VIDEO_LONG = Case("video-5-long", ("Before ", video(10, 4, 4), " between ", image(4, 6), " QUESTION"))
# llama.cpp scales images of fewer than eight visual tokens up.
LARGER_IMAGE = Case("image", (image(6, 8), "QUESTION"))
BARE = Case("bare", ("<|vision_start|>", image(4, 4), "<|vision_end|>QUESTION"), chat=False)

# For families with windows of eight patches a side: grids that they do not divide.
WINDOWS = Case("image-windows", (image(10, 12), "QUESTION"))
TWO_WINDOWS = Case("two-images", ("First ", image(10, 6), " then ", image(10, 6), " QUESTION"))
VIDEO_WINDOWS = Case("video-5-windows", ("A clip: ", video(5, 4, 10), "QUESTION"))
# Time positions 4 and 1 ⅓ a temporal patch: as many seconds as frames, and three frames a second.
VIDEO_SLOW = Case("video-6-slow", (video(6, 4, 6, 1.0), "QUESTION"))
VIDEO_FAST = Case("video-7-fast", ("Before ", video(7, 2, 4, 3.0), " after. QUESTION"))
TURNS = Case(
    "turns",
    (video(4, 4, 6), "QUESTION", Reply("It rolls to the left."), video(4, 4, 6, 1.5), "And now?", Reply("It stopped."), "Why?"),
)

# For families of which all pictures of a prompt must have one size in these tests.
SAME_IMAGES = Case("two-images", ("First ", image(4, 6), " then ", image(4, 6), " QUESTION"))
VIDEO_5 = Case("video-5", ("A clip: ", video(5, 6, 4, 1.0), "QUESTION"))
IMAGE_AND_VIDEO = Case("image-video", ("QUESTION ", image(4, 6), " or ", video(4, 4, 6), " ?"))

# For SmolVLM2 and LLaVA-OneVision: squares, one size a checkpoint; frames about a second apart.
def squares(side: int) -> dict[str, Case]:
    square, seconds = image(side, side), {"height": side, "width": side}
    return {
        "image": Case("image", (square, "QUESTION")),
        "images": Case("two-images", ("First ", square, " then ", square, " QUESTION")),
        "video": Case("video-4", (video(4, fps=1.0, **seconds), "QUESTION")),
        "slow": Case("video-3-slow", ("A clip: ", video(3, fps=0.02, **seconds), "QUESTION")),
        "turns": Case(
            "turns",
            (video(2, fps=1.0, **seconds), "QUESTION", Reply("It rolls to the left."), square, "And now?", Reply("It stopped."), "Why?"),
        ),
    }


FIXTURES: list[tuple[Shape, list[Case]]] = [
    (
        Shape("gqa1-hd32-f32", "smallest, everything F32", 21, 64, 2, 2, 1, 128, True, 32, 1, 1, "F32", "F32"),
        [TEXT, IMAGE, TWO_IMAGES, VIDEO_2],
    ),
    (
        Shape("gqa3-hd32", "five layers, untied, encoder head 80", 12, 96, 3, 1, 5, 64, False, 80, 1, 1),
        [TEXT, TWO_IMAGES, VIDEO_ODD, MIXED],
    ),
    (
        Shape(
            "gqa6-hd32", "one layer, image mean 0.5 and std 0.25", 13, 192, 6, 1, 1, 96, True, 64, 2, 1,
            image_mean=(0.5, 0.5, 0.5), image_std=(0.25, 0.25, 0.25),
        ),
        [IMAGE, TALL_IMAGE, VIDEO_2],
    ),
    (
        Shape("gqa1-hd64", "padded vocabulary, three layers, three encoder blocks", 14, 128, 2, 2, 3, 64, True, 32, 1, 3, vocab=408),
        [TEXT, VIDEO_8, BARE],
    ),
    (
        Shape("gqa2-hd80", "encoder heads of 40, rope base 10000", 15, 160, 2, 1, 1, 64, True, 40, 1, 1, rope_theta=1e4),
        [TALL_IMAGE, VIDEO_LONG],
    ),
    (
        Shape("gqa2-hd128", "head dimension of the published models", 16, 256, 2, 1, 1, 64, True, 32, 1, 1, rms_eps=1e-5),
        [TEXT, TWO_IMAGES, VIDEO_ODD],
    ),
    (
        Shape("gqa1-hd32-bf16", "BF16; the patch convolution F32", 17, 96, 3, 3, 1, 160, True, 32, 1, 1, "BF16", "BF16"),
        [IMAGE, VIDEO_2],
    ),
    (
        Shape("gqa2-hd32-q8_0", "Q8_0 in both files", 18, 128, 4, 2, 2, 192, False, 32, 1, 1, "Q8_0", "Q8_0"),
        [TEXT, IMAGE, VIDEO_2],
    ),
    (
        Shape("gqa2-hd32-q4_0", "Q4_0 in both files", 19, 128, 4, 2, 2, 192, True, 32, 1, 1, "Q4_0", "Q4_0"),
        [TEXT, IMAGE, VIDEO_2],
    ),
    (
        Shape(
            "gqa2-hd64-q4_k_m", "Q4_K and Q6_K side by side; Q5_0 in the mmproj", 22, 256, 4, 2, 2, 256, True, 64, 2, 1,
            "Q4_K_M", "Q5_0",
        ),
        [TEXT, IMAGE, VIDEO_2],
    ),
    (
        Shape(
            "gqa2-hd128-q5_k_m", "Q5_K and Q6_K, Q5_1 and Q8_0 where rows are short; Q4_1 in the mmproj", 23, 256, 2, 1,
            2, 96, False, 32, 1, 1, "Q5_K_M", "Q4_1",
        ),
        [TEXT, IMAGE],
    ),
    (
        Shape(
            "wllama", "for comparison with llama.cpp in the browser", 20, 96, 3, 1, 2, 96, False, 32, 1, 1,
            for_llama_cpp=True,
        ),
        [TEXT, LARGER_IMAGE],
    ),
    (
        Shape(
            "qwen2.5-gqa2-hd32", "Qwen2.5-VL: every second encoder block whole", 31, 64, 2, 1, 2, 96, True, 64, 2, 3,
            family="qwen2.5vl_merger", vision_mlp=84, whole_every=2,
        ),
        [IMAGE, WINDOWS, VIDEO_WINDOWS, TURNS],
    ),
    (
        Shape(
            "qwen2.5-gqa3-hd40", "Qwen2.5-VL: untied, encoder heads of 40, one whole block in four", 32, 120, 3, 1, 1, 64, False, 40, 1, 4,
            family="qwen2.5vl_merger", vision_mlp=60, whole_every=4, image_mean=(0.5, 0.5, 0.5), image_std=(0.25, 0.25, 0.25),
        ),
        [TEXT, TWO_WINDOWS, VIDEO_SLOW],
    ),
    (
        Shape(
            "qwen2.5-gqa1-hd64", "Qwen2.5-VL: Q8_0 in both files, all encoder blocks whole", 33, 128, 2, 2, 2, 64, True, 32, 1, 1,
            "Q8_0", "Q8_0", family="qwen2.5vl_merger", vision_mlp=96, whole_every=1,
        ),
        [WINDOWS, VIDEO_FAST],
    ),
    (
        Shape(
            "qwen3-gqa2-hd32", "Qwen3-VL: heads wider than the model, features of two encoder blocks", 41, 48, 4, 2, 3, 64, True, 64, 2, 3,
            family="qwen3vl_merger", vision_mlp=80, head_dim=32, position_side=6, deepstack=(0, 1), image_mean=(0.5,) * 3, image_std=(0.5,) * 3,
        ),
        [IMAGE, IMAGE_AND_VIDEO, TURNS],
    ),
    (
        Shape(
            "qwen3-gqa3-hd40", "Qwen3-VL: untied, encoder heads of 40, more patches than learned positions", 42, 96, 3, 1, 1, 64, False, 40, 1, 2,
            "F32", "F32", family="qwen3vl_merger", vision_mlp=60, head_dim=40, position_side=4, deepstack=(1,), image_mean=(0.5,) * 3, image_std=(0.5,) * 3,
        ),
        [TEXT, SAME_IMAGES, VIDEO_5],
    ),
    (
        Shape(
            "qwen3-gqa1-hd64", "Qwen3-VL: Q8_0 in both files, three encoder blocks to three layers", 43, 64, 2, 2, 3, 64, True, 32, 1, 4,
            "Q8_0", "Q8_0", family="qwen3vl_merger", vision_mlp=96, head_dim=64, position_side=8, deepstack=(0, 1, 3), image_mean=(0.5,) * 3, image_std=(0.5,) * 3,
        ),
        [TALL_IMAGE, VIDEO_2],
    ),
    (
        Shape(
            "smolvlm2-gqa3-hd32", "SmolVLM2: three query heads to one, two patches a side to a token", 51, 96, 3, 1, 2, 96, True, 64, 2, 3,
            family="idefics3", vision_mlp=80, patch=16, merge=2, position_side=4, vocab=391, rope_theta=1e5, rms_eps=1e-5,
            image_mean=(0.5,) * 3, image_std=(0.5,) * 3,
        ),
        [squares(4)[name] for name in ("image", "images", "video", "turns")],
    ),
    (
        Shape(
            "smolvlm2-gqa2-hd40", "SmolVLM2: untied, F32, three patches of 14 pixels a side to a token, encoder heads of 36", 52, 80, 2, 1, 2, 64, False, 72, 2, 2,
            "F32", family="idefics3", vision_mlp=64, patch=14, merge=3, position_side=6, vocab=400, rope_theta=273768.0, rms_eps=1e-5,
            image_mean=(0.5,) * 3, image_std=(0.5,) * 3,
        ),
        [TEXT, squares(6)["images"], squares(6)["slow"]],
    ),
    (
        Shape(
            "smolvlm2-gqa1-hd64", "SmolVLM2: Q8_0 in both files, four patches a side to a token, more learned positions than patches", 53, 128, 2, 2, 3, 96, True, 32, 1, 2,
            "Q8_0", "Q8_0", family="idefics3", vision_mlp=96, patch=16, merge=4, position_side=11, vocab=391, rope_theta=1e5, rms_eps=1e-5,
            image_mean=(0.5,) * 3, image_std=(0.5,) * 3,
        ),
        [squares(8)["image"], squares(8)["video"]],
    ),
    (
        Shape(
            "onevision-gqa3-hd32", "LLaVA-OneVision: three query heads to one, an odd number of patches a side", 61, 96, 3, 1, 2, 96, True, 64, 2, 3,
            family="mlp", vision_mlp=80, patch=14, position_side=5, vocab=389, image_mean=(0.5,) * 3, image_std=(0.5,) * 3,
        ),
        [squares(5)[name] for name in ("image", "images", "video", "turns")],
    ),
    (
        Shape(
            "onevision-gqa2-hd40", "LLaVA-OneVision: untied, F32, encoder heads of 36", 62, 80, 2, 1, 2, 64, False, 72, 2, 2,
            "F32", family="mlp", vision_mlp=64, patch=14, position_side=4, vocab=400, rope_theta=1e4, image_mean=(0.5,) * 3, image_std=(0.5,) * 3,
        ),
        [TEXT, squares(4)["images"], squares(4)["video"]],
    ),
    (
        Shape(
            "onevision-gqa1-hd64", "LLaVA-OneVision: Q8_0 in both files", 63, 128, 2, 2, 3, 96, True, 32, 1, 2,
            "Q8_0", "Q8_0", family="mlp", vision_mlp=96, patch=14, position_side=6, vocab=389, image_mean=(0.5,) * 3, image_std=(0.5,) * 3,
        ),
        [squares(6)["image"], squares(6)["video"]],
    ),
]
