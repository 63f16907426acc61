"""Rebuilds a transformers model in float32 from a GGUF pair.

The inverse of gguf_pair.py, and the only source of golden outputs: what a
golden says is what the weights *in the file*, dequantised by the `gguf` package,
compute. Everything is read from the files, nothing from the code that wrote them.
"""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import torch
from transformers import (
    PreTrainedConfig,
    PreTrainedModel,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
)

import llava_onevision
import smolvlm2
from sizes import stored_decoder_sizes

# By `clip.projector_type`.
CLASSES = {
    "qwen2vl_merger": (Qwen2VLConfig, Qwen2VLForConditionalGeneration),
    "qwen2.5vl_merger": (Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration),
    "qwen3vl_merger": (Qwen3VLConfig, Qwen3VLForConditionalGeneration),
    smolvlm2.PROJECTOR: smolvlm2.CLASSES,
    llava_onevision.PROJECTOR: llava_onevision.CLASSES,
}
# Neither file states these; they are those of all published checkpoints.
WINDOW_PIXELS = 112
TOKENS_PER_SECOND = 2

TEXT_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
TEXT_OUTER_NAMES = {
    "token_embd.weight": "model.language_model.embed_tokens.weight",
    "output_norm.weight": "model.language_model.norm.weight",
    "output.weight": "lm_head.weight",
}
BLOCK_NAMES = {"ln1": "norm1", "ln2": "norm2", "attn_out": "attn.proj"}
# Feed-forward parts, with a gate and without.
GATED_NAMES = {"ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}
PLAIN_NAMES = {"ffn_up": "mlp.fc1", "ffn_down": "mlp.fc2"}
QWEN3_NAMES = {"attn_qkv": "attn.qkv", "ffn_up": "mlp.linear_fc1", "ffn_down": "mlp.linear_fc2"}


def read_gguf(path: str | Path) -> tuple[dict, dict[str, torch.Tensor]]:
    """Metadata by key, and every tensor as float32 in torch's order of dimensions."""
    reader = gguf.GGUFReader(str(path))
    metadata = {key: field.contents() for key, field in reader.fields.items()}
    tensors = {}
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        shape = [int(n) for n in reversed(tensor.shape)]
        tensors[tensor.name] = torch.from_numpy(np.array(values, dtype=np.float32).reshape(shape))
    return metadata, tensors


def load_model(model_path: str | Path, mmproj_path: str | Path) -> PreTrainedModel:
    """The model in float32 with eager attention, in evaluation mode."""
    text_meta, text = read_gguf(model_path)
    vision_meta, vision = read_gguf(mmproj_path)
    _, model_class = CLASSES[vision_meta["clip.projector_type"]]
    model = model_class(_config(text_meta, text, vision_meta, vision))
    arch = text_meta["general.architecture"]
    state = _text_state(text, text_meta[f"{arch}.block_count"])
    if arch == "llama":
        state = smolvlm2.text_state(state, text_meta) | smolvlm2.vision_state(vision)
    elif arch == "qwen2":
        state.update(llava_onevision.vision_state(vision))
    elif arch == "qwen3vl":
        state.update(_qwen3_vision_state(vision, model.config.vision_config))
    else:
        state.update(_vision_state(vision, vision_meta["clip.vision.block_count"]))
    if model.config.tie_word_embeddings:
        embedding = "model.text_model.embed_tokens.weight" if arch == "llama" else "model.language_model.embed_tokens.weight"
        state["lm_head.weight"] = state[embedding]
    model.load_state_dict(state, strict=True)
    return model.eval()


def _config(text_meta: dict, text: dict, vision_meta: dict, vision: dict) -> PreTrainedConfig:
    if vision_meta["clip.projector_type"] == smolvlm2.PROJECTOR:
        return smolvlm2.config_from_gguf(text_meta, vision_meta, tied="output.weight" not in text)
    if vision_meta["clip.projector_type"] == llava_onevision.PROJECTOR:
        return llava_onevision.config_from_gguf(text_meta, vision_meta, tied="output.weight" not in text)
    config_class, _ = CLASSES[vision_meta["clip.projector_type"]]
    arch = text_meta["general.architecture"]
    tokens = text_meta["tokenizer.ggml.tokens"]
    decoder, sections = stored_decoder_sizes(text_meta), text_meta[f"{arch}.rope.dimension_sections"]
    return config_class(
        attn_implementation="eager",
        tie_word_embeddings="output.weight" not in text,
        image_token_id=tokens.index("<|image_pad|>"),
        video_token_id=tokens.index("<|video_pad|>"),
        vision_start_token_id=tokens.index("<|vision_start|>"),
        vision_end_token_id=tokens.index("<|vision_end|>"),
        text_config=decoder
        | {"rope_parameters": decoder["rope_parameters"] | {"mrope_section": list(sections)[:3]}}
        | ({"head_dim": text_meta[f"{arch}.attention.key_length"]} if arch == "qwen3vl" else {}),
        vision_config=_vision_config(vision_meta, vision),
    )


def _vision_config(meta: dict, tensors: dict) -> dict:
    width, depth = meta["clip.vision.embedding_length"], meta["clip.vision.block_count"]
    shared = {"depth": depth, "num_heads": meta["clip.vision.attention.head_count"], "patch_size": meta["clip.vision.patch_size"]}
    if meta["clip.projector_type"] == "qwen2vl_merger":
        ratio = tensors["v.blk.0.ffn_up.weight"].shape[0] // width
        return shared | {"embed_dim": width, "hidden_size": meta["clip.vision.projection_dim"], "mlp_ratio": ratio}
    if meta["clip.projector_type"] == "qwen3vl_merger":
        flags = meta["clip.vision.is_deepstack_layers"]
        return shared | {
            "hidden_size": width,
            "intermediate_size": meta["clip.vision.feed_forward_length"],
            "out_hidden_size": meta["clip.vision.projection_dim"],
            "num_position_embeddings": tensors["v.position_embd.weight"].shape[0],
            "deepstack_visual_indexes": [i for i, flag in enumerate(flags) if flag],
        }
    pattern = meta["clip.vision.n_wa_pattern"]
    return shared | {
        "hidden_size": width,
        "intermediate_size": meta["clip.vision.feed_forward_length"],
        "out_hidden_size": meta["clip.vision.projection_dim"],
        "window_size": WINDOW_PIXELS,
        "fullatt_block_indexes": list(range(pattern - 1, depth, pattern)),
        "tokens_per_second": TOKENS_PER_SECOND,
    }


def _text_state(tensors: dict[str, torch.Tensor], blocks: int) -> dict[str, torch.Tensor]:
    state = {new: tensors[old] for old, new in TEXT_OUTER_NAMES.items() if old in tensors}
    for name, tensor in tensors.items():
        if name.startswith("blk."):
            _, block, part, kind = name.split(".")
            assert int(block) < blocks
            state[f"model.language_model.layers.{block}.{TEXT_NAMES[part]}.{kind}"] = tensor
    return state


def _vision_state(tensors: dict[str, torch.Tensor], blocks: int) -> dict[str, torch.Tensor]:
    frames = [tensors["v.patch_embd.weight"], tensors["v.patch_embd.weight.1"]]
    state = {"model.visual.patch_embed.proj.weight": torch.stack(frames, dim=2)}
    names = BLOCK_NAMES | (GATED_NAMES if "v.blk.0.ffn_gate.weight" in tensors else PLAIN_NAMES)
    for kind in ("weight", "bias"):
        if f"v.post_ln.{kind}" in tensors:
            state[f"model.visual.merger.ln_q.{kind}"] = tensors[f"v.post_ln.{kind}"]
        for layer in (0, 2):
            state[f"model.visual.merger.mlp.{layer}.{kind}"] = tensors[f"mm.{layer}.{kind}"]
        for block in range(blocks):
            source, target = f"v.blk.{block}", f"model.visual.blocks.{block}"
            qkv = [tensors[f"{source}.attn_{part}.{kind}"] for part in "qkv"]
            state[f"{target}.attn.qkv.{kind}"] = torch.cat(qkv, dim=0)
            for old, new in names.items():
                if f"{source}.{old}.{kind}" in tensors:
                    state[f"{target}.{new}.{kind}"] = tensors[f"{source}.{old}.{kind}"]
    return state


def _qwen3_vision_state(tensors: dict[str, torch.Tensor], vision) -> dict[str, torch.Tensor]:
    frames = [tensors["v.patch_embd.weight"], tensors["v.patch_embd.weight.1"]]
    state = {
        "patch_embed.proj.weight": torch.stack(frames, dim=2),
        "patch_embed.proj.bias": tensors["v.patch_embd.bias"],
        "pos_embed.weight": tensors["v.position_embd.weight"],
    }
    names = BLOCK_NAMES | QWEN3_NAMES
    for kind in ("weight", "bias"):
        for old, new in (("v.post_ln", "norm"), ("mm.0", "linear_fc1"), ("mm.2", "linear_fc2")):
            state[f"merger.{new}.{kind}"] = tensors[f"{old}.{kind}"]
        for i, block in enumerate(vision.deepstack_visual_indexes):
            for old, new in (("norm", "norm"), ("fc1", "linear_fc1"), ("fc2", "linear_fc2")):
                state[f"deepstack_merger_list.{i}.{new}.{kind}"] = tensors[f"v.deepstack.{block}.{old}.{kind}"]
        for block in range(vision.depth):
            for old, new in names.items():
                state[f"blocks.{block}.{new}.{kind}"] = tensors[f"v.blk.{block}.{old}.{kind}"]
    return {f"model.visual.{name}": tensor for name, tensor in state.items()}
