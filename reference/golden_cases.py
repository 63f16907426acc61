"""Golden outputs of one prompt: what transformers computes in float32."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from transformers import DynamicCache, PreTrainedModel

import llava_onevision
import smolvlm2
from pixel_values import MERGE, TEMPORAL, pixel_values

STEPS = 24
# Encoders before decoders with positions of one axis; a temporal patch is one frame.
SIGLIP = (smolvlm2.MODEL_TYPE, llava_onevision.MODEL_TYPE)


@dataclass
class Medium:
    """One image or video. frames: uint8 [frames, height, width, 3], so many a second."""

    kind: str
    frames: np.ndarray
    fps: float = 2.0

    @property
    def seconds_per_patch(self) -> float:
        return TEMPORAL / self.fps


@dataclass
class Prompt:
    """Token ids with one pad token for every visual token, and the media they stand for.

    values: one [patches, channels * 2 * side * side] float32 a medium, or [frames, channels,
    height, width] where a temporal patch is one frame; grids: its (t, h, w) in patches; runs: (first id, count, medium) of visual tokens with no text between;
    positions: int64 [3, tokens].
    """

    ids: list[int]
    media: list[Medium]
    values: list[torch.Tensor]
    grids: list[tuple[int, int, int]]
    runs: list[tuple[int, int, int]]
    positions: torch.Tensor


class HalfPrecisionCache(DynamicCache):
    """Rounds keys (after rotary embedding) and values to float16, as Ringside stores them."""

    def update(self, key_states, value_states, *args, **kwargs):
        return super().update(key_states.half().float(), value_states.half().float(), *args, **kwargs)


def per_second(config) -> float | None:
    """Time positions a second of video, where a model's positions follow the frames' times."""
    return getattr(config.vision_config, "tokens_per_second", None)


def merge_of(config) -> int:
    """Patches a side that make one visual token, before any pooling."""
    if config.model_type == llava_onevision.MODEL_TYPE:
        return 1
    return config.scale_factor if config.model_type == smolvlm2.MODEL_TYPE else MERGE


def pad_ids(config) -> list[int]:
    """Tokens that stand for visual ones: of an image, of a video."""
    smol = config.model_type == smolvlm2.MODEL_TYPE
    return [config.image_token_id, config.image_token_id if smol else config.video_token_id]


def make_prompt(tokenizer, text: str, media: list[Medium], mean, std, config) -> Prompt:
    """text has one pad a medium, in order; where times are text, one a temporal patch."""
    patch, siglip = config.vision_config.patch_size, config.model_type in SIGLIP
    newlines = config.model_type == llava_onevision.MODEL_TYPE
    prepared = [(smolvlm2.pixel_values if siglip else pixel_values)(medium.frames, mean, std, patch) for medium in media]
    grids = [grid for _, grid in prepared]
    parts = [patches if writes_times(config) and m.kind == "video" else 1 for m, (patches, _, _) in zip(media, grids)]
    owners = [i for i, count in enumerate(parts) for _ in range(count)]
    pads = set(pad_ids(config))
    ids, runs = [], []
    for token in tokenizer(text, add_special_tokens=False).input_ids:
        if token in pads:
            medium = owners[len(runs)]
            t, h, w = grids[medium]
            whole = t * h * w // merge_of(config) ** 2
            count = llava_onevision.token_count(media[medium].kind, (t, h, w)) if newlines else whole // parts[medium]
            runs.append((len(ids), count, medium))
            # One more pad stands for `image_newline`.
            ids += [token] * (count + newlines)
        else:
            ids.append(token)
    assert len(runs) == len(owners)
    if siglip:
        return Prompt(ids, media, [v for v, _ in prepared], grids, runs, torch.arange(len(ids)).expand(3, -1))
    rate = per_second(config)
    shapes = [(grids[i][0] // parts[i], *grids[i][1:]) for i in owners]
    steps = [rate * media[i].seconds_per_patch if rate is not None and media[i].kind == "video" else 1 for i in owners]
    positions = mrope_positions(len(ids), [run[:2] for run in runs], shapes, steps)
    return Prompt(ids, media, [v for v, _ in prepared], grids, runs, positions)


def writes_times(config) -> bool:
    """Whether every temporal patch is a video of its own, with its time as text before it."""
    return config.model_type in ("qwen3_vl", smolvlm2.MODEL_TYPE)


def with_times(text: str, media: list[Medium]) -> str:
    """A prompt with a time and markers of its own for each temporal patch of a video, as
    the processor of transformers 4 writes it."""
    for medium in media:
        if medium.kind == "video":
            times = [seconds * medium.seconds_per_patch for seconds in range(-(-len(medium.frames) // TEMPORAL))]
            # Between the first frame of the two and the second; a lone last frame is its own second.
            middles = [
                time + (0 if 2 * i + 1 == len(medium.frames) else 0.5 / medium.fps) for i, time in enumerate(times)
            ]
            frames = "".join(f"<{time:.1f} seconds><|vision_start|>\0<|vision_end|>" for time in middles)
            text = text.replace("<|vision_start|><|video_pad|><|vision_end|>", frames, 1)
    return text.replace("\0", "<|video_pad|>")


def mrope_positions(
    count: int, spans: list[tuple[int, int]], grids: list[tuple[int, int, int]], steps: list[float]
) -> torch.Tensor:
    """Rotary positions (time, height, width) of each token, int64 [3, count].

    As the Qwen2-VL paper defines them: text counts up in all three; a medium starts at
    the next free position and counts temporal patches, rows and columns of merged
    tokens; what follows starts one past the largest position so far. A temporal patch
    is `step` positions after the one before, rounded down (Qwen2.5-VL).
    """
    positions = torch.zeros(3, count, dtype=torch.int64)
    index = following = 0
    for (start, tokens), (t, h, w), step in [*zip(spans, grids, steps), ((count, 0), (0, 0, 0), 1)]:
        text = start - index
        positions[:, index:start] = torch.arange(text) + following
        following += text
        if tokens:
            axes = [(torch.arange(t) * step).long(), torch.arange(h // MERGE), torch.arange(w // MERGE)]
            grid = torch.stack(torch.meshgrid(*axes, indexing="ij")).reshape(3, -1)
            positions[:, start : start + tokens] = grid + following
            following += int(grid.max()) + 1
        index = start + tokens
    return positions


def model_inputs(model: PreTrainedModel, prompt: Prompt) -> dict[str, torch.Tensor]:
    """The arguments of the model's forward pass, without positions and cache."""
    if model.config.model_type == smolvlm2.MODEL_TYPE:
        return smolvlm2.model_inputs(prompt)
    if model.config.model_type == llava_onevision.MODEL_TYPE:
        return llava_onevision.model_inputs(prompt)
    clocked = per_second(model.config) is not None
    inputs: dict[str, torch.Tensor] = {"input_ids": torch.tensor([prompt.ids])}
    kinds = torch.zeros(1, len(prompt.ids), dtype=torch.int32)
    for start, count, medium in prompt.runs:
        kinds[0, start : start + count] = 1 if prompt.media[medium].kind == "image" else 2
    for kind, values_key, grid_key in (
        ("image", "pixel_values", "image_grid_thw"),
        ("video", "pixel_values_videos", "video_grid_thw"),
    ):
        chosen = [i for i, medium in enumerate(prompt.media) if medium.kind == kind]
        if chosen:
            inputs[values_key] = torch.cat([prompt.values[i] for i in chosen])
            inputs[grid_key] = torch.tensor([prompt.grids[i] for i in chosen])
    seconds = [medium.seconds_per_patch for medium in prompt.media if medium.kind == "video"]
    if seconds and clocked:
        inputs["second_per_grid_ts"] = torch.tensor(seconds)
    return inputs | {"mm_token_type_ids": kinds}


def position_ids(model: PreTrainedModel, positions: torch.Tensor) -> torch.Tensor:
    """int64 [3, tokens] as the model takes them: those of one axis without it."""
    return positions[:1] if model.config.model_type in SIGLIP else positions[:, None]


def transformers_positions(model: PreTrainedModel, prompt: Prompt) -> torch.Tensor:
    """What `get_rope_index` answers, int64 [3, tokens]."""
    if model.config.model_type in SIGLIP:
        return prompt.positions
    inputs = model_inputs(model, prompt)
    keys = ("input_ids", "mm_token_type_ids", "image_grid_thw", "video_grid_thw", "second_per_grid_ts")
    positions, _ = model.model.get_rope_index(**{key: inputs[key] for key in keys if key in inputs})
    return positions[:, 0]


@torch.no_grad()
def visual_tokens(model: PreTrainedModel, prompt: Prompt) -> np.ndarray:
    """Merged visual tokens of all media in prompt order, float32 [tokens, hidden]; behind
    each, what is added to it after the decoder's first layers, if anything is."""
    rows = []
    for medium, values, grid in zip(prompt.media, prompt.values, prompt.grids):
        if model.config.model_type == smolvlm2.MODEL_TYPE:
            rows.append(smolvlm2.visual_tokens(model, values))
            continue
        if model.config.model_type == llava_onevision.MODEL_TYPE:
            rows.append(llava_onevision.visual_tokens(model, medium.kind, values))
            continue
        encode = model.get_image_features if medium.kind == "image" else model.get_video_features
        out = encode(values, torch.tensor([grid]))
        # One tensor for each layer; a list of them may be split by medium, of which there is one.
        features = [f if isinstance(f, torch.Tensor) else f[0] for f in getattr(out, "deepstack_features", None) or []]
        rows.append(torch.cat([out.pooler_output[0], *features], dim=1))
    return torch.cat(rows).numpy() if rows else np.zeros((0, model.config.text_config.hidden_size), np.float32)


@torch.no_grad()
def greedy(model: PreTrainedModel, prompt: Prompt, half_cache: bool) -> tuple[np.ndarray, list[int]]:
    """Logits of every step, float32 [24, vocab], and the 24 greedy ids; EOS does not stop it."""
    cache = HalfPrecisionCache() if half_cache else DynamicCache()
    following = int(prompt.positions.max()) + 1
    out = model(**model_inputs(model, prompt), position_ids=position_ids(model, prompt.positions), past_key_values=cache, use_cache=True)
    logits, ids = [out.logits[0, -1]], []
    while True:
        ids.append(int(logits[-1].argmax()))
        if len(ids) == STEPS:
            return torch.stack(logits).numpy(), ids
        position = position_ids(model, torch.full((3, 1), following + len(ids) - 1))
        step = torch.tensor([ids[-1:]])
        out = model(input_ids=step, position_ids=position, past_key_values=cache, use_cache=True)
        logits.append(out.logits[0, -1])


@torch.no_grad()
def generate(model: PreTrainedModel, prompt: Prompt) -> list[int]:
    """The ids transformers' own `generate` gives, positions and all left to it."""
    out = model.generate(
        **model_inputs(model, prompt), max_new_tokens=STEPS, min_new_tokens=STEPS, do_sample=False, eos_token_id=-1, pad_token_id=0
    )
    return out[0, len(prompt.ids) :].tolist()


def margins(logits: np.ndarray) -> np.ndarray:
    """Largest minus second-largest logit of each step, float32 [steps]."""
    top = np.sort(logits, axis=-1)
    return top[:, -1] - top[:, -2]


def top_logprobs(logits: np.ndarray, count: int) -> list[list[list]]:
    """For each step the `count` likeliest tokens as [id, natural log of its probability]."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    logprobs = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    order = np.argsort(-logits, axis=-1)[:, :count]
    return [[[int(token), round(float(row[token]), 5)] for token in best] for row, best in zip(logprobs, order)]
