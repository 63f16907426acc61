"""Writes a transformers checkpoint as the GGUF pair llama.cpp loads.

One function, `write_gguf_pair`: a decoder file (`general.architecture` of the family)
and a vision file, the mmproj (`general.architecture = clip`, `clip.projector_type` of
the family). Keys, tensor names and the type each tensor is stored in are those of
llama.cpp's convert_hf_to_gguf.py; names come from the `gguf` package's own tables. It
never changes a weight except by the rounding of the type asked for.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Mapping, Sequence

import gguf
import torch

import llava_onevision
import smolvlm2
from stored_types import FILE_TYPES, KINDS, stored_bytes, stored_type

# By the `model_type` of a checkpoint's configuration.
ARCHITECTURES = {
    "qwen2_vl": (gguf.MODEL_ARCH.QWEN2VL, gguf.VisionProjectorType.QWEN2VL),
    "qwen2_5_vl": (gguf.MODEL_ARCH.QWEN2VL, gguf.VisionProjectorType.QWEN25VL),
    "qwen3_vl": (gguf.MODEL_ARCH.QWEN3VL, gguf.VisionProjectorType.QWEN3VL),
    smolvlm2.MODEL_TYPE: (gguf.MODEL_ARCH.LLAMA, gguf.VisionProjectorType.IDEFICS3),
    llava_onevision.MODEL_TYPE: (gguf.MODEL_ARCH.QWEN2, llava_onevision.PROJECTOR),
}

# llama.cpp's converter writes this when the checkpoint names no image size: the
# side in pixels that clip.cpp warms up with. Qwen2-VL itself takes any size.
NOMINAL_IMAGE_SIZE = 560

# transformers hard-codes this epsilon in the vision norms.
VISION_LAYER_NORM_EPS = 1e-6


def write_gguf_pair(
    config,
    state_dict: Mapping[str, torch.Tensor],
    tokenizer_json: str | Path | dict,
    chat_template: str,
    image_mean: Sequence[float],
    image_std: Sequence[float],
    model_path: str | Path,
    mmproj_path: str | Path,
    model_type: str = "F16",
    mmproj_type: str | None = None,
    name: str = "Qwen2-VL",
) -> None:
    """Writes the decoder and mmproj GGUF files of one checkpoint.

    config: a `Qwen2VLConfig`, `Qwen2_5_VLConfig`, `Qwen3VLConfig`, `SmolVLMConfig` or `LlavaOnevisionConfig`.
    state_dict: as of `...ForConditionalGeneration` (`model.language_model.*`,
      `model.visual.*`, `lm_head.weight`) or of a file on disk (`model.*`, `visual.*`).
      With tied embeddings `lm_head.weight` is left out of the file, as readers expect.
    tokenizer_json: a `tokenizer.json` (path or parsed): byte-level BPE of the Qwen2 kind.
    model_type, mmproj_type: one of `stored_types.FILE_TYPES`, for the matrices;
      mmproj_type defaults to model_type. A matrix whose rows are not whole blocks is
      stored in another type. Norms and biases are F32. The patch convolution is F16 in
      an F16 file and F32 in every other.
    """
    if isinstance(tokenizer_json, (str, Path)):
        tokenizer_json = json.loads(Path(tokenizer_json).read_text(encoding="utf-8"))
    smol, onevision = (config.model_type == kind for kind in (smolvlm2.MODEL_TYPE, llava_onevision.MODEL_TYPE))
    if smol:
        text, vision = smolvlm2.stored_tensors(state_dict, config)
    elif onevision:
        text, vision = llava_onevision.stored_tensors(state_dict)
    else:
        tensors = {_checkpoint_name(key): value for key, value in state_dict.items()}
        text = {k: v for k, v in tensors.items() if not k.startswith("visual.")}
        vision = {k: v for k, v in tensors.items() if k.startswith("visual.")}
    if config.tie_word_embeddings:
        text.pop("lm_head.weight", None)

    arch, projector = ARCHITECTURES[config.model_type]
    writer = _open(model_path, gguf.MODEL_ARCH_NAMES[arch], gguf.GGUFType.MODEL, name)
    _write_text_parameters(writer, config.text_config)
    if smol:
        smolvlm2.write_text_parameters(writer, config.text_config)
    if config.model_type == "qwen3_vl":
        writer.add_key_length(config.text_config.head_dim)
        writer.add_value_length(config.text_config.head_dim)
        writer.add_num_deepstack_layers(len(config.vision_config.deepstack_visual_indexes))
    writer.add_file_type(FILE_TYPES[model_type][0])
    _write_tokenizer(writer, tokenizer_json, config.text_config, chat_template, "smollm" if smol else "qwen2")
    _write_tensors(writer, text, arch, config.text_config.num_hidden_layers, model_type)
    _close(writer)

    mmproj_type = mmproj_type or model_type
    writer = _open(mmproj_path, "clip", gguf.GGUFType.MMPROJ, name)
    writer.add_file_type(FILE_TYPES[mmproj_type][0])
    writer.add_clip_projector_type(projector)
    if smol or onevision:
        smolvlm2.write_vision_parameters(writer, config, image_mean, image_std)
        stored, depth = vision, config.vision_config.num_hidden_layers
    else:
        _write_vision_parameters(writer, config, image_mean, image_std)
        qwen3 = config.model_type == "qwen3_vl"
        stored = _renamed_vision(vision, config.vision_config) if qwen3 else _split_vision(vision)
        depth = config.vision_config.depth
    _write_tensors(writer, stored, gguf.MODEL_ARCH.MMPROJ, depth, mmproj_type)
    _close(writer)


def _checkpoint_name(key: str) -> str:
    """The name in a published checkpoint: `model.*`, `visual.*`, `lm_head.weight`."""
    if key.startswith("model.language_model."):
        return "model." + key.removeprefix("model.language_model.")
    return key.removeprefix("model.") if key.startswith("model.visual.") else key


def _open(path: str | Path, arch: str, file_kind: str, name: str) -> gguf.GGUFWriter:
    writer = gguf.GGUFWriter(str(path), arch)
    writer.add_type(file_kind)
    writer.add_name(name)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    return writer


def _close(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _write_text_parameters(writer: gguf.GGUFWriter, text) -> None:
    """Where nothing else is written, a head's dimension is embedding length / head count."""
    rope = text.rope_parameters
    writer.add_block_count(text.num_hidden_layers)
    writer.add_context_length(text.max_position_embeddings)
    writer.add_embedding_length(text.hidden_size)
    writer.add_feed_forward_length(text.intermediate_size)
    writer.add_head_count(text.num_attention_heads)
    writer.add_head_count_kv(text.num_key_value_heads)
    if "mrope_section" in rope:
        # Rotary pairs for time, height, width; the fourth is unused by Qwen2-VL.
        sections = list(rope["mrope_section"])
        writer.add_rope_dimension_sections(sections + [0] * (4 - len(sections)))
    writer.add_rope_freq_base(rope["rope_theta"])
    writer.add_layer_norm_rms_eps(text.rms_norm_eps)


def _write_vision_parameters(writer: gguf.GGUFWriter, config, image_mean, image_std) -> None:
    """For Qwen2-VL neither `clip.use_gelu` nor `clip.use_silu`: their absence means quick GELU."""
    vision = config.vision_config
    writer.add_clip_has_vision_encoder(True)
    writer.add_vision_projection_dim(config.text_config.hidden_size)
    if config.model_type == "qwen3_vl":
        writer.add_vision_image_size(int(vision.num_position_embeddings**0.5) * vision.patch_size)
        writer.add_vision_use_gelu(True)
        writer.add_vision_spatial_merge_size(vision.spatial_merge_size)
        writer.add_vision_is_deepstack_layers([i in vision.deepstack_visual_indexes for i in range(vision.depth)])
    else:
        writer.add_vision_image_size(NOMINAL_IMAGE_SIZE)
    writer.add_vision_patch_size(vision.patch_size)
    if config.model_type == "qwen2_vl":
        writer.add_vision_embedding_length(vision.embed_dim)
        # The converter takes this key from `vision_config.hidden_size`, which in Qwen2-VL
        # is the decoder's width. Readers take the real width from the tensors' shapes.
        writer.add_vision_feed_forward_length(vision.hidden_size)
    else:
        writer.add_vision_embedding_length(vision.hidden_size)
        writer.add_vision_feed_forward_length(vision.intermediate_size)
    writer.add_vision_block_count(vision.depth)
    writer.add_vision_head_count(vision.num_heads)
    writer.add_vision_image_mean([float(x) for x in image_mean])
    writer.add_vision_image_std([float(x) for x in image_std])
    writer.add_vision_attention_layernorm_eps(VISION_LAYER_NORM_EPS)
    if config.model_type == "qwen2_5_vl":
        writer.add_vision_use_silu(True)
        writer.add_vision_n_wa_pattern(_window_pattern(vision))


def _window_pattern(vision) -> int:
    """Every so manieth block attends to the whole frame; the format states no window size but the published."""
    pattern = vision.fullatt_block_indexes[0] + 1
    if list(vision.fullatt_block_indexes) != list(range(pattern - 1, vision.depth, pattern)) or vision.window_size != 112:
        raise ValueError("the mmproj format has windows of 112 pixels, and every Nth block without them")
    return pattern


def _write_tokenizer(writer: gguf.GGUFWriter, tokenizer: dict, text, chat_template: str, kind: str) -> None:
    """Token list, types and merges of a byte-level BPE; ids without a token are padded."""
    vocab_size = text.vocab_size
    vocab = dict(tokenizer["model"]["vocab"])
    added = {token["content"]: token for token in tokenizer["added_tokens"]}
    vocab.update({content: token["id"] for content, token in added.items()})
    if max(vocab.values()) >= vocab_size:
        raise ValueError(f"the tokenizer has ids up to {max(vocab.values())}, the model only {vocab_size} rows")

    tokens = [f"[PAD{i}]" for i in range(vocab_size)]
    types = [gguf.TokenType.UNUSED] * vocab_size
    for content, token_id in vocab.items():
        tokens[token_id] = content
        types[token_id] = gguf.TokenType.NORMAL
        if content in added:
            looks_special = content.startswith("<|") and content.endswith("|>")
            control = added[content]["special"] or looks_special
            types[token_id] = gguf.TokenType.CONTROL if control else gguf.TokenType.USER_DEFINED

    merges = tokenizer["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(kind)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    writer.add_eos_token_id(text.eos_token_id)
    writer.add_pad_token_id(text.pad_token_id if kind == "smollm" else vocab["<|endoftext|>"])
    writer.add_bos_token_id(text.bos_token_id)
    writer.add_add_bos_token(False)
    writer.add_chat_template(chat_template)


def _split_vision(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Splits what the mmproj stores apart.

    qkv [3 * width, width] becomes q, k, v; the 3-D patch convolution
    [width, channels, 2, 14, 14] becomes one 2-D convolution for each of its two frames.
    """
    out: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        if ".qkv." in name:
            for part, piece in zip("qkv", tensor.chunk(3, dim=0)):
                out[name.replace("qkv", part)] = piece
        elif name == "visual.patch_embed.proj.weight":
            if tensor.shape[2] != 2:
                raise ValueError(f"temporal patch size is {tensor.shape[2]}, the mmproj format stores 2")
            out[name] = tensor[:, :, 0]
            out[name + ".1"] = tensor[:, :, 1]
        else:
            out[name] = tensor
    return out


def _renamed_vision(tensors: Mapping[str, torch.Tensor], vision) -> dict[str, torch.Tensor]:
    """Qwen3-VL's: qkv stay joined, mergers have names of their own, those of DeepStack by their block."""
    numbers = {"linear_fc1": 0, "linear_fc2": 2}
    out = {}
    for name, tensor in _split_vision({k: v for k, v in tensors.items() if ".qkv." not in k}).items():
        _, part, *rest = name.split(".")
        if part == "deepstack_merger_list":
            index, layer, kind = rest
            name = f"v.deepstack.{vision.deepstack_visual_indexes[int(index)]}.{layer.removeprefix('linear_')}.{kind}"
        elif part == "merger":
            layer, kind = rest
            name = f"v.post_ln.{kind}" if layer == "norm" else f"mm.{numbers[layer]}.{kind}"
        out[name] = tensor
    return out | {k: v for k, v in tensors.items() if ".qkv." in k}


def _write_tensors(
    writer: gguf.GGUFWriter, tensors: Mapping[str, torch.Tensor], arch: gguf.MODEL_ARCH, blocks: int, file_type: str
) -> None:
    # The merger's layers are numbered 0 and 2 in the same table as the blocks.
    names = gguf.get_tensor_name_map(arch, max(blocks, 3))
    for source, tensor in tensors.items():
        stem, suffix = (source.removesuffix(".1"), ".1") if source.endswith(".weight.1") else (source, "")
        final = stem.startswith(("v.", "mm.")) or stem == llava_onevision.NEWLINE
        name = stem if final else names.get_name(stem, try_suffixes=(".weight", ".bias"))
        if name is None:
            raise ValueError(f"no GGUF name for tensor {source!r}")
        data = tensor.detach().to(torch.float32).cpu().contiguous().numpy()
        tied = "lm_head.weight" not in tensors
        # What embeds patches in an encoder of the SigLIP kind stays as it is.
        stored = KINDS.F32 if ".embeddings." in source else stored_type(name + suffix, data, file_type, blocks, tied)
        writer.add_tensor(name + suffix, stored_bytes(data, stored), raw_dtype=stored)
