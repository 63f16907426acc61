"""LLaVA-OneVision: what its checkpoints, GGUF files and prompts have that those of other families do not.

Visual tokens are patches; those of a video's frames are pooled to half their rows and columns. The
embedding `image_newline` ends every picture and every video. Pictures are squares of one size a
checkpoint that are not split into tiles; positions have one axis.
"""

from __future__ import annotations

from pathlib import Path
from typing import Mapping

import gguf
import torch
from transformers import LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration, PreTrainedModel

import smolvlm2
from sizes import decoder_sizes, siglip_sizes, stored_decoder_sizes, stored_siglip_sizes

PROJECTOR = "mlp"
MODEL_TYPE = "llava_onevision"
CLASSES = (LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration)
IMAGE, VIDEO = "<image>", "<video>"
CHAT_TEMPLATE = (Path(__file__).parent / "templates" / "llava-onevision.jinja").read_text("utf-8")

# Of a video's frames: patches a side that pooling makes one visual token of.
POOL = 2

TOWER = "model.vision_tower."
OUTER_NAMES = {
    "v.patch_embd": TOWER + "embeddings.patch_embedding",
    "v.position_embd": TOWER + "embeddings.position_embedding",
    "mm.0": "model.multi_modal_projector.linear_1",
    "mm.2": "model.multi_modal_projector.linear_2",
}
NEWLINE = "model.image_newline"


# --- Configuration ---


def config_of(shape, tokens: dict[str, int]) -> LlavaOnevisionConfig:
    """Of a fixture's `Shape`; tokens: ids of the special tokens by their text."""
    decoder = decoder_sizes(shape) | {"bos_token_id": tokens["<|endoftext|>"], "eos_token_id": tokens["<|im_end|>"]}
    return _config(tokens, shape.tied, decoder, siglip_sizes(shape))


def config_from_gguf(text: dict, vision: dict, tied: bool) -> LlavaOnevisionConfig:
    """text, vision: metadata of the two files."""
    tokens = {token: id for id, token in enumerate(text["tokenizer.ggml.tokens"])}
    return _config(tokens, tied, stored_decoder_sizes(text), stored_siglip_sizes(vision), attn_implementation="eager")


def _config(tokens: dict[str, int], tied: bool, decoder: dict, encoder: dict, **more) -> LlavaOnevisionConfig:
    return LlavaOnevisionConfig(
        tie_word_embeddings=tied,
        image_token_index=tokens[IMAGE],
        video_token_index=tokens[VIDEO],
        text_config=decoder | {"model_type": "qwen2", "tie_word_embeddings": tied},
        vision_config=encoder | {"model_type": "siglip_vision_model", "vision_use_head": False},
        **more,
    )


# --- Tensors ---


def stored_tensors(state: Mapping[str, torch.Tensor]) -> tuple[dict, dict]:
    """Tensors of the decoder's file, by names that the `gguf` package knows, and of the mmproj by their own.

    The norm behind the encoder is left out, as by llama.cpp's converter: nothing is computed from it.
    """
    text, vision = {}, {}
    outer = {new: old for old, new in OUTER_NAMES.items()}
    parts = {new: old for old, new in smolvlm2.BLOCK_NAMES.items()}
    for name, tensor in state.items():
        stem, _, kind = name.rpartition(".")
        if name == NEWLINE:
            vision[NEWLINE] = tensor
        elif stem in outer:
            vision[f"{outer[stem]}.{kind}"] = tensor
        elif stem.startswith(TOWER + "encoder.layers."):
            block, part = stem.removeprefix(TOWER + "encoder.layers.").split(".", 1)
            vision[f"v.blk.{block}.{parts[part]}.{kind}"] = tensor
        elif not stem.startswith(TOWER):
            text[name.replace("model.language_model.", "model.")] = tensor
    return text, vision


def vision_state(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    width = tensors["v.position_embd.weight"].shape[1]
    state = {f"{TOWER}post_layernorm.weight": torch.ones(width), f"{TOWER}post_layernorm.bias": torch.zeros(width)}
    encoder = {name: tensor for name, tensor in tensors.items() if name != NEWLINE}
    return state | {NEWLINE: tensors[NEWLINE]} | smolvlm2.siglip_state(encoder, OUTER_NAMES, TOWER)


# --- Prompts ---


def rendered(tokenizer, messages: list) -> str:
    """The prompt with one `<image>` or `<video>` a medium."""
    messages = smolvlm2.in_parts(messages)
    return tokenizer.apply_chat_template(messages, chat_template=CHAT_TEMPLATE, tokenize=False, add_generation_prompt=True)


def token_count(kind: str, grid: tuple[int, int, int]) -> int:
    """Visual tokens of a medium, without the `image_newline` behind them."""
    t, h, w = grid
    return h * w if kind == "image" else t * -(-h // POOL) * -(-w // POOL)


def _as_several(images: list[torch.Tensor]) -> dict:
    """Arguments for pictures that are not split into tiles: as where there are several in a message."""
    return {
        "pixel_values": torch.stack(images),
        "image_sizes": torch.tensor([image.shape[-2:] for image in images]),
        "batch_num_images": torch.tensor([max(2, len(images))]),
    }


def model_inputs(prompt) -> dict[str, torch.Tensor]:
    inputs = {"input_ids": torch.tensor([prompt.ids])}
    images, videos = (
        [values for medium, values in zip(prompt.media, prompt.values) if medium.kind == kind] for kind in ("image", "video")
    )
    if images:
        inputs |= _as_several(images)
    if videos:
        inputs["pixel_values_videos"] = torch.stack(videos)
    return inputs


def visual_tokens(model: PreTrainedModel, kind: str, values: torch.Tensor) -> torch.Tensor:
    """[tokens, hidden] of one medium, without the `image_newline` behind them."""
    if kind == "image":
        features = model.model.get_image_features(**_as_several([values]), return_dict=True).pooler_output
    else:
        features = model.model.get_video_features(values[None], return_dict=True).pooler_output
    return features[0][:-1]
