"""The Toybox network: a small Qwen2-VL, as plain PyTorch for training.

Same arithmetic and the same parameter names as transformers' `Qwen2VLModel` (`visual.*`,
`language_model.*`), without its generality, so that it trains quickly. `check_parity.py` proves
the equality; `hf_config` and `hf_state_dict` make the bridge.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

VOCABULARY = 868  # rows of the embedding: the size of tokenizer.json
FRAME = 112
IMAGE_MEAN, IMAGE_STD = 0.5, 0.25
TOKENS_PER_PAIR = 16  # one temporal patch: 8x8 patches merged 2x2
GRID = 4

MAX_POSITIONS = 4096
NORM_EPS = 1e-6


@dataclass(frozen=True)
class Sizes:
    """What may differ between Toybox models; the defaults are those of the one that ships."""
    vision_width: int = 128
    vision_depth: int = 4
    vision_heads: int = 4
    width: int = 192
    layers: int = 6
    heads: int = 6
    kv_heads: int = 2
    ffn: int = 512
    theta: float = 1000.0
    sections: tuple = (8, 4, 4)  # rotary pairs for time, row, column: together half a head

    @property
    def head_dim(self) -> int:
        return self.width // self.heads


def patchify(frames: torch.Tensor) -> torch.Tensor:
    """uint8 [pairs, 2, 112, 112, 3] -> float [pairs, 64, 3*2*14*14], 2x2 merge groups together."""
    pairs = frames.shape[0]
    x = (frames.float() / 255 - IMAGE_MEAN) / IMAGE_STD
    x = x.reshape(pairs, 2, GRID, 2, 14, GRID, 2, 14, 3)
    # [pairs, rowGroup, colGroup, row, col, channel, time, y, x]
    return x.permute(0, 2, 5, 3, 6, 8, 1, 4, 7).reshape(pairs, 64, -1)


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotary embedding, half-split layout, as in transformers."""
    a, b = x.chunk(2, -1)
    return x * cos + torch.cat((-b, a), -1) * sin


class VisionAttention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x, cos, sin):
        pairs, patches, width = x.shape
        q, k, v = self.qkv(x).reshape(pairs, patches, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        x = F.scaled_dot_product_attention(rotate(q, cos, sin), rotate(k, cos, sin), v)
        return self.proj(x.transpose(1, 2).reshape(pairs, patches, width))


class VisionMlp(nn.Module):
    def __init__(self, width: int, inner: int):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x):
        x = self.fc1(x)
        return self.fc2(x * torch.sigmoid(1.702 * x))


class VisionBlock(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.attn = VisionAttention(width, heads)
        self.mlp = VisionMlp(width, 4 * width)

    def forward(self, x, cos, sin):
        x = x + self.attn(self.norm1(x), cos, sin)
        return x + self.mlp(self.norm2(x))


class Merger(nn.Module):
    def __init__(self, width: int, out: int):
        super().__init__()
        self.ln_q = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(4 * width, 4 * width), nn.GELU(), nn.Linear(4 * width, out))

    def forward(self, x):
        return self.mlp(self.ln_q(x).reshape(x.shape[0], TOKENS_PER_PAIR, -1))


class Vision(nn.Module):
    """Frame pairs -> visual tokens."""

    def __init__(self, sizes: Sizes):
        super().__init__()
        width, heads = sizes.vision_width, sizes.vision_heads
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv3d(3, width, (2, 14, 14), (2, 14, 14), bias=False)
        self.blocks = nn.ModuleList(VisionBlock(width, heads) for _ in range(sizes.vision_depth))
        self.merger = Merger(width, sizes.width)
        turned = width // heads // 2  # half of a head's pairs turn with the row, half with the column
        frequencies = 10000.0 ** -(torch.arange(0, turned, 2) / turned)
        group, inner = torch.arange(64) // 4, torch.arange(64) % 4
        row, col = group // GRID * 2 + inner // 2, group % GRID * 2 + inner % 2
        angles = torch.cat((row[:, None] * frequencies, col[:, None] * frequencies), 1).repeat(1, 2)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """uint8 or float [pairs, 2, 112, 112, 3], 0-255 -> [pairs, 16, width]."""
        x = F.linear(patchify(frames), self.patch_embed.proj.weight.flatten(1))
        for block in self.blocks:
            x = block(x, self.cos, self.sin)
        return self.merger(x)


class RmsNorm(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return F.rms_norm(x, x.shape[-1:], self.weight, NORM_EPS)


class Attention(nn.Module):
    def __init__(self, sizes: Sizes):
        super().__init__()
        width, self.heads, self.kv_heads, self.head_dim = sizes.width, sizes.heads, sizes.kv_heads, sizes.head_dim
        self.q_proj = nn.Linear(width, self.heads * self.head_dim)
        self.k_proj = nn.Linear(width, self.kv_heads * self.head_dim)
        self.v_proj = nn.Linear(width, self.kv_heads * self.head_dim)
        self.o_proj = nn.Linear(self.heads * self.head_dim, width, bias=False)

    def forward(self, x, cos, sin, attend):
        batch, length, _ = x.shape
        q = self.q_proj(x).view(batch, length, self.heads, self.head_dim)
        k = self.k_proj(x).view(batch, length, self.kv_heads, self.head_dim)
        v = self.v_proj(x).view(batch, length, self.kv_heads, self.head_dim)
        return self.o_proj(attend(rotate(q, cos, sin), rotate(k, cos, sin), v).flatten(2))


class Mlp(nn.Module):
    def __init__(self, width: int, inner: int):
        super().__init__()
        self.gate_proj = nn.Linear(width, inner, bias=False)
        self.up_proj = nn.Linear(width, inner, bias=False)
        self.down_proj = nn.Linear(inner, width, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class DecoderLayer(nn.Module):
    def __init__(self, sizes: Sizes):
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = RmsNorm(sizes.width), RmsNorm(sizes.width)
        self.self_attn, self.mlp = Attention(sizes), Mlp(sizes.width, sizes.ffn)

    def forward(self, x, cos, sin, attend):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, attend)
        return x + self.mlp(self.post_attention_layernorm(x))


class Decoder(nn.Module):
    """Token embeddings and positions -> hidden states; logits are tied to the embeddings."""

    def __init__(self, sizes: Sizes):
        super().__init__()
        self.embed_tokens = nn.Embedding(VOCABULARY, sizes.width)
        self.layers = nn.ModuleList(DecoderLayer(sizes) for _ in range(sizes.layers))
        self.norm = RmsNorm(sizes.width)
        section = torch.repeat_interleave(torch.arange(3), torch.tensor(sizes.sections))
        pairs = sizes.head_dim // 2
        self.register_buffer("section", section, persistent=False)
        self.register_buffer("frequencies", sizes.theta ** -(torch.arange(pairs) / pairs), persistent=False)

    def rotary(self, positions: torch.Tensor):
        """[batch, length, 3] (time, row, column) -> cos, sin [batch, length, 1, headDim]."""
        angles = (positions[..., self.section].float() * self.frequencies).repeat(1, 1, 2)[:, :, None]
        return angles.cos(), angles.sin()

    def forward(self, x, positions, attend, taps=()):
        """x [batch, length, width]; `attend(q, k, v)` on [batch, length, heads, headDim] says who sees whom.

        Returns the normed hidden states and the residual stream after each layer in `taps`.
        """
        cos, sin = self.rotary(positions)
        tapped = []
        for index, layer in enumerate(self.layers):
            x = layer(x, cos, sin, attend)
            if index in taps:
                tapped.append(x)
        return self.norm(x), tapped

    def logits(self, hidden):
        return F.linear(hidden, self.embed_tokens.weight)


def hf_config(special: dict, sizes: Sizes):
    """The transformers configuration of this network; `special` maps special tokens to ids."""
    from transformers import Qwen2VLConfig
    text = dict(vocab_size=VOCABULARY, hidden_size=sizes.width, intermediate_size=sizes.ffn,
                num_hidden_layers=sizes.layers, num_attention_heads=sizes.heads, num_key_value_heads=sizes.kv_heads,
                rms_norm_eps=NORM_EPS, hidden_act="silu", max_position_embeddings=MAX_POSITIONS, tie_word_embeddings=True,
                rope_parameters={"rope_type": "default", "rope_theta": sizes.theta, "mrope_section": list(sizes.sections)},
                bos_token_id=special["<|endoftext|>"], eos_token_id=special["<|im_end|>"],
                pad_token_id=special["<|endoftext|>"])
    vision = dict(depth=sizes.vision_depth, embed_dim=sizes.vision_width, num_heads=sizes.vision_heads,
                  hidden_size=sizes.width, mlp_ratio=4, patch_size=14, spatial_merge_size=2, temporal_patch_size=2,
                  in_channels=3, hidden_act="quick_gelu")
    return Qwen2VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=True,
                         image_token_id=special["<|image_pad|>"], video_token_id=special["<|video_pad|>"],
                         vision_start_token_id=special["<|vision_start|>"],
                         vision_end_token_id=special["<|vision_end|>"])


def hf_state_dict(vision: Vision, decoder: Decoder) -> dict:
    """Weights under the names of `Qwen2VLForConditionalGeneration` (the output matrix is tied)."""
    state = {f"model.visual.{k}": v for k, v in vision.state_dict().items()}
    state |= {f"model.language_model.{k}": v for k, v in decoder.state_dict().items()}
    return state
