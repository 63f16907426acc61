"""The small random checkpoints: their shapes and how their weights are drawn."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from transformers import PreTrainedConfig, PreTrainedModel

import llava_onevision
import smolvlm2
from from_gguf import CLASSES, TOKENS_PER_SECOND, WINDOW_PIXELS
from pixel_values import CLIP_MEAN, CLIP_STD
from sizes import decoder_sizes


@dataclass(frozen=True)
class Shape:
    """One fixture's architecture. Head dimension is hidden / heads, as in Qwen2-VL.

    family: as `clip.projector_type` names it. vision_mlp: width inside the encoder's
    feed-forward parts where it is gated; whole_every: every so manieth of its blocks
    attends to the whole frame. head_dim: of the decoder where it is not hidden / heads;
    position_side: of the square of learned positions; deepstack: encoder blocks whose
    features go to the decoder's first layers. patch: side of a patch in pixels, merge: patches
    a side of a visual token, where the family leaves them open.
    """

    name: str
    about: str
    seed: int
    hidden: int
    heads: int
    kv_heads: int
    layers: int
    mlp: int
    tied: bool
    vision_width: int
    vision_heads: int
    vision_depth: int
    model_type: str = "F16"
    mmproj_type: str = "F16"
    vocab: int = 400
    rope_theta: float = 1e6
    rms_eps: float = 1e-6
    image_mean: tuple = CLIP_MEAN
    image_std: tuple = CLIP_STD
    family: str = "qwen2vl_merger"
    vision_mlp: int = 0
    whole_every: int = 0
    head_dim: int = 0
    position_side: int = 0
    deepstack: tuple = ()
    patch: int = 0
    merge: int = 0
    # For the comparison with llama.cpp: only printable ASCII can be the best token, the
    # greedy path is clearer still, and images are saved as PNG too.
    for_llama_cpp: bool = False

    @property
    def is_qwen3(self) -> bool:
        return self.family == "qwen3vl_merger"


def mrope_section(head_dim: int, interleaved: bool) -> list[int]:
    """Rotary pairs for time, height, width in Qwen2-VL's proportion (16, 24, 24 of 64),
    or, where they take turns, in Qwen3-VL's (24, 20, 20)."""
    pairs = head_dim // 2
    if interleaved:
        return [pairs - 2 * (pairs * 20 // 64), pairs * 20 // 64, pairs * 20 // 64]
    time = pairs // 4
    height = (pairs - time) // 2
    return [time, height, pairs - time - height]


def config_of(shape: Shape, tokens: dict[str, int]) -> PreTrainedConfig:
    """tokens: ids of the special tokens by their text."""
    if shape.family == smolvlm2.PROJECTOR:
        return smolvlm2.config_of(shape, tokens)
    if shape.family == llava_onevision.PROJECTOR:
        return llava_onevision.config_of(shape, tokens)
    config_class, _ = CLASSES[shape.family]
    decoder = decoder_sizes(shape)
    head_dim = shape.head_dim or shape.hidden // shape.heads
    return config_class(
        tie_word_embeddings=shape.tied,
        image_token_id=tokens["<|image_pad|>"],
        video_token_id=tokens["<|video_pad|>"],
        vision_start_token_id=tokens["<|vision_start|>"],
        vision_end_token_id=tokens["<|vision_end|>"],
        text_config=decoder
        | {
            "bos_token_id": tokens["<|endoftext|>"],
            "eos_token_id": tokens["<|im_end|>"],
            "rope_parameters": decoder["rope_parameters"] | {"mrope_section": mrope_section(head_dim, shape.is_qwen3)},
        }
        | ({"head_dim": shape.head_dim} if shape.is_qwen3 else {}),
        vision_config=_vision_config(shape),
    )


def _vision_config(shape: Shape) -> dict:
    shared = {"depth": shape.vision_depth, "num_heads": shape.vision_heads}
    if shape.family == "qwen2vl_merger":
        return shared | {"embed_dim": shape.vision_width, "hidden_size": shape.hidden, "mlp_ratio": 4}
    shared |= {
        "hidden_size": shape.vision_width,
        "intermediate_size": shape.vision_mlp,
        "out_hidden_size": shape.hidden,
    }
    if shape.is_qwen3:
        return shared | {
            "num_position_embeddings": shape.position_side**2,
            "deepstack_visual_indexes": list(shape.deepstack),
        }
    return shared | {
        "window_size": WINDOW_PIXELS,
        "fullatt_block_indexes": list(range(shape.whole_every - 1, shape.vision_depth, shape.whole_every)),
        "tokens_per_second": TOKENS_PER_SECOND,
    }


def random_model(shape: Shape, config: PreTrainedConfig) -> PreTrainedModel:
    """Weights drawn so that every block matters and logits have a spread of 1 to 3.

    Norm weights scatter around one, every bias is non-zero, attention scores have a
    spread of about one, and each residual branch adds about as much as the stream holds.
    """
    _, model_class = CLASSES[shape.family]
    model = model_class(config).eval()
    source = torch.Generator().manual_seed(shape.seed)
    branches = 2 * (shape.layers if shape.layers > 1 else 2)
    vision_branches = 2 * shape.vision_depth
    with torch.no_grad():
        for name, weight in sorted(model.named_parameters()):
            mean, spread = _distribution(name, weight, shape, branches, vision_branches)
            weight.copy_(torch.empty_like(weight).normal_(0, 1, generator=source) * spread + mean)
            if mean:
                weight.clamp_(min=0.3)
    return model


def _distribution(
    name: str, weight: torch.Tensor, shape: Shape, branches: int, vision_branches: int
) -> tuple[float, float]:
    """Mean and standard deviation of one parameter."""
    fan_in = weight[0].numel() if weight.ndim > 1 else 1
    unit = fan_in**-0.5
    if "norm" in name or "ln_q" in name:
        return (1.0, 0.25) if name.endswith("weight") else (0.0, 0.15)
    if "pos_embed" in name or "position_embedding" in name:
        return 0.0, 0.5
    if "embed_tokens" in name:
        # A tied head multiplies by these rows: logits spread is then about 2.
        return 0.0, (2.0 * unit if shape.tied else 0.5)
    if "lm_head" in name:
        return 0.0, 2.0 * unit
    if name.endswith("bias"):
        large = "q_proj" in name or "k_proj" in name or "qkv" in name
        return 0.0, 0.4 if large else 0.1
    if "q_proj" in name or "k_proj" in name:
        return 0.0, 1.1 * unit
    if "qkv" in name:
        return 0.0, 1.2 * unit
    in_encoder = "visual.blocks" in name or "vision_model.encoder" in name or "vision_tower.encoder" in name
    if in_encoder and ("attn.proj" in name or "out_proj" in name or "fc2" in name):
        return 0.0, 2.5 * unit * vision_branches**-0.5
    if "visual" in name and "down_proj" in name:
        return 0.0, 4.5 * unit * vision_branches**-0.5
    # Against a tied head the branches must be strong, or each token predicts itself.
    strength = 1.6 if shape.tied else 1.0
    if "o_proj" in name:
        return 0.0, 4.0 * strength * unit * branches**-0.5
    if "down_proj" in name:
        return 0.0, 4.5 * strength * unit * branches**-0.5
    if "merger.mlp.2" in name or "merger.linear_fc2" in name:
        return 0.0, 1.6 * unit
    if "deepstack" in name:
        return 0.0, 1.0 * unit
    return 0.0, 1.0 * unit


@torch.no_grad()
def allow_only(model: PreTrainedModel, allowed: list[int]) -> None:
    """Makes every other token's logit very low. Needs an untied head.

    The last channel of the residual stream is held at a constant: embeddings and the
    merger write it, no branch adds to it. Head rows of forbidden tokens read that
    channel alone, with a large negative weight; the others do not read it.
    """
    channel, level = -1, 1.0
    decoder, merger = model.model.language_model, model.model.visual.merger.mlp[2]
    decoder.embed_tokens.weight[:, channel] = level
    merger.weight[channel] = 0
    merger.bias[channel] = level
    for layer in decoder.layers:
        layer.self_attn.o_proj.weight[channel] = 0
        layer.mlp.down_proj.weight[channel] = 0
    decoder.norm.weight[channel] = 1
    model.lm_head.weight[:, channel] = 0
    forbidden = torch.ones(len(model.lm_head.weight), dtype=torch.bool)
    forbidden[allowed] = False
    model.lm_head.weight[forbidden] = 0
    model.lm_head.weight[forbidden, channel] = -40
