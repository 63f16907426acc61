"""SmolVLM2: what its checkpoints, GGUF files and prompts have that those of the Qwen-VL families do not.

Every video frame is a picture of its own, with its time as text before it; a picture is a
square that is not split into tiles; positions have one axis.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Mapping

import gguf
import numpy as np
import torch
from transformers import PreTrainedModel, SmolVLMConfig, SmolVLMForConditionalGeneration
from transformers.models.smolvlm.processing_smolvlm import DEFAULT_CHAT_TEMPLATE, SmolVLMProcessor
from transformers.video_utils import VideoMetadata

from sizes import decoder_sizes, siglip_sizes, stored_decoder_sizes, stored_siglip_sizes

PROJECTOR = "idefics3"
MODEL_TYPE = "smolvlm"
CLASSES = (SmolVLMConfig, SmolVLMForConditionalGeneration)
IMAGE, FAKE, GLOBAL, END = "<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>"

# That of the published files, which has no place for a video; the processor takes the other where there is one.
CHAT_TEMPLATE = DEFAULT_CHAT_TEMPLATE.replace("{% elif line['type'] == 'video' %}{{ '<video>' }}", "")
assert CHAT_TEMPLATE != DEFAULT_CHAT_TEMPLATE

BLOCK_NAMES = {
    "ln1": "layer_norm1",
    "ln2": "layer_norm2",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_out": "self_attn.out_proj",
    "ffn_up": "mlp.fc1",
    "ffn_down": "mlp.fc2",
}
OUTER_NAMES = {
    "v.patch_embd": "model.vision_model.embeddings.patch_embedding",
    "v.position_embd": "model.vision_model.embeddings.position_embedding",
    "v.post_ln": "model.vision_model.post_layernorm",
    "mm.model.fc": "model.connector.modality_projection.proj",
}


# --- Configuration ---


def config_of(shape, tokens: dict[str, int]) -> SmolVLMConfig:
    """Of a fixture's `Shape`; tokens: ids of the special tokens by their text."""
    decoder = decoder_sizes(shape) | {
        "bos_token_id": tokens["<|im_start|>"],
        "eos_token_id": tokens[END],
        "pad_token_id": tokens["<|im_end|>"],
    }
    return _config(tokens[IMAGE], shape.tied, shape.merge, decoder, siglip_sizes(shape))


def config_from_gguf(text: dict, vision: dict, tied: bool) -> SmolVLMConfig:
    """text, vision: metadata of the two files."""
    image = text["tokenizer.ggml.tokens"].index(IMAGE)
    scale_factor = vision["clip.vision.projector.scale_factor"]
    decoder = stored_decoder_sizes(text) | {"pad_token_id": text["tokenizer.ggml.padding_token_id"]}
    return _config(image, tied, scale_factor, decoder, stored_siglip_sizes(vision), attn_implementation="eager")


def _config(image: int, tied: bool, scale_factor: int, decoder: dict, encoder: dict, **more) -> SmolVLMConfig:
    head_dim = decoder["hidden_size"] // decoder["num_attention_heads"]
    return SmolVLMConfig(
        tie_word_embeddings=tied,
        image_token_id=image,
        scale_factor=scale_factor,
        text_config=decoder | {"model_type": "llama", "head_dim": head_dim},
        vision_config=encoder,
        **more,
    )


# --- Tensors ---


def adjacent_pairs(rows: torch.Tensor, heads: int) -> torch.Tensor:
    """Rows of queries or keys in which the two of a rotary pair are neighbours, as files of
    architecture `llama` have them, of rows in which they are half a head apart."""
    return rows.reshape(heads, 2, -1, rows.shape[1]).transpose(1, 2).reshape(rows.shape)


def pairs_apart(rows: torch.Tensor, heads: int) -> torch.Tensor:
    """The inverse of `adjacent_pairs`."""
    return rows.reshape(heads, -1, 2, rows.shape[1]).transpose(1, 2).reshape(rows.shape)


def stored_tensors(state: Mapping[str, torch.Tensor], config: SmolVLMConfig) -> tuple[dict, dict]:
    """Tensors of the decoder's file and of the mmproj, by names that the `gguf` package knows."""
    text, vision = {}, {}
    heads = {"q_proj": config.text_config.num_attention_heads, "k_proj": config.text_config.num_key_value_heads}
    for name, tensor in state.items():
        if name.startswith(("model.vision_model.", "model.connector.")):
            vision[name] = tensor
            continue
        part = name.split(".")[-2]
        text[name.replace("model.text_model.", "model.")] = adjacent_pairs(tensor, heads[part]) if part in heads else tensor
    return text, vision


def text_state(state: Mapping[str, torch.Tensor], meta: dict) -> dict:
    """state: the decoder's tensors as `from_gguf` names them for other families."""
    out = {}
    for name, tensor in state.items():
        part = name.split(".")[-2]
        if part in ("q_proj", "k_proj"):
            tensor = pairs_apart(tensor, meta["llama.attention.head_count" + ("_kv" if part == "k_proj" else "")])
        out[name.replace("model.language_model.", "model.text_model.")] = tensor
    return out


def vision_state(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return siglip_state(tensors, OUTER_NAMES, "model.vision_model.")


def siglip_state(tensors: Mapping[str, torch.Tensor], outer: Mapping[str, str], tower: str) -> dict[str, torch.Tensor]:
    """By transformers' names. outer: those of all that is no block; tower: what the encoder's own begin with."""
    state = {}
    for name, tensor in tensors.items():
        stem, kind = name.rsplit(".", 1)
        if stem in outer:
            state[f"{outer[stem]}.{kind}"] = tensor
        else:
            _, _, block, part = stem.split(".")
            state[f"{tower}encoder.layers.{block}.{BLOCK_NAMES[part]}.{kind}"] = tensor
    return state


def write_text_parameters(writer: gguf.GGUFWriter, text) -> None:
    writer.add_vocab_size(text.vocab_size)
    writer.add_rope_dimension_count(text.head_dim)


def write_vision_parameters(writer: gguf.GGUFWriter, config, mean, std) -> None:
    """Those of a SigLIP encoder, and of SmolVLM2's projector."""
    vision = config.vision_config
    writer.add_clip_has_vision_encoder(True)
    writer.add_vision_projection_dim(config.text_config.hidden_size)
    writer.add_vision_image_size(vision.image_size)
    writer.add_vision_patch_size(vision.patch_size)
    writer.add_vision_embedding_length(vision.hidden_size)
    writer.add_vision_feed_forward_length(vision.intermediate_size)
    writer.add_vision_block_count(vision.num_hidden_layers)
    writer.add_vision_head_count(vision.num_attention_heads)
    writer.add_vision_image_mean([float(x) for x in mean])
    writer.add_vision_image_std([float(x) for x in std])
    writer.add_vision_attention_layernorm_eps(vision.layer_norm_eps)
    writer.add_vision_use_gelu(True)
    if config.model_type == MODEL_TYPE:
        writer.add_vision_projector_scale_factor(config.scale_factor)
        # Of still images, whose tiles are made of a larger one.
        writer.add_vision_preproc_image_size(4 * vision.image_size)


# --- Prompts ---


def in_parts(messages: list) -> list:
    """Messages whose content is a list of parts, as these templates want it, also where it is plain text."""
    return [
        m | {"content": [{"type": "text", "text": m["content"]}] if isinstance(m["content"], str) else m["content"]}
        for m in messages
    ]


def rendered(tokenizer, messages: list, media: list) -> str:
    """The prompt with one `<image>` a frame, in the words of transformers' own processor."""
    messages = in_parts(messages)
    text = tokenizer.apply_chat_template(
        messages, chat_template=DEFAULT_CHAT_TEMPLATE, tokenize=False, add_generation_prompt=True
    )
    words = SimpleNamespace(image_seq_len=1, image_token="\0", fake_image_token=FAKE, global_image_token=GLOBAL)
    for medium in media:
        count = len(medium.frames)
        if medium.kind == "image":
            said = SmolVLMProcessor.replace_image_token(words, {"rows": [[0]], "cols": [[0]]}, 0)
        else:
            video = VideoMetadata(
                total_num_frames=count, fps=medium.fps, duration=count / medium.fps, frames_indices=list(range(count))
            )
            inputs = {"pixel_values": np.zeros((1, count)), "video_metadata": [video]}
            said = SmolVLMProcessor.replace_video_token(words, inputs, 0)
        text = text.replace(IMAGE if medium.kind == "image" else "<video>", said, 1)
    return text.replace("\0", IMAGE)


def pixel_values(frames: np.ndarray, mean, std, patch: int) -> tuple[torch.Tensor, tuple[int, int, int]]:
    """uint8 [frames, side, side, 3] as float32 [frames, 3, side, side], and the grid in patches."""
    count, height, width, _ = frames.shape
    normal = ((frames.astype(np.float64) / 255 - np.array(mean)) / np.array(std)).astype(np.float32)
    return torch.from_numpy(normal.transpose(0, 3, 1, 2).copy()), (count, height // patch, width // patch)


def model_inputs(prompt) -> dict[str, torch.Tensor]:
    inputs = {"input_ids": torch.tensor([prompt.ids])}
    return inputs | ({"pixel_values": torch.cat(prompt.values)[None]} if prompt.values else {})


def visual_tokens(model: PreTrainedModel, values: torch.Tensor) -> torch.Tensor:
    """[frames * tokens, hidden] of one medium."""
    return torch.cat(list(model.get_image_features(values[None]).pooler_output))
