"""Sizes of decoders and SigLIP encoders as the configurations of transformers name them: those of a fixture's
`Shape`, and those that GGUF files state."""

from __future__ import annotations


def decoder_sizes(shape) -> dict:
    return {
        "vocab_size": shape.vocab,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.mlp,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "max_position_embeddings": 2048,
        "rms_norm_eps": shape.rms_eps,
        "rope_parameters": {"rope_type": "default", "rope_theta": shape.rope_theta},
    }


def stored_decoder_sizes(meta: dict) -> dict:
    """meta: of the decoder's file."""
    arch = meta["general.architecture"]
    return {
        "vocab_size": len(meta["tokenizer.ggml.tokens"]),
        "hidden_size": meta[f"{arch}.embedding_length"],
        "intermediate_size": meta[f"{arch}.feed_forward_length"],
        "num_hidden_layers": meta[f"{arch}.block_count"],
        "num_attention_heads": meta[f"{arch}.attention.head_count"],
        "num_key_value_heads": meta[f"{arch}.attention.head_count_kv"],
        "max_position_embeddings": meta[f"{arch}.context_length"],
        "rms_norm_eps": meta[f"{arch}.attention.layer_norm_rms_epsilon"],
        "bos_token_id": meta["tokenizer.ggml.bos_token_id"],
        "eos_token_id": meta["tokenizer.ggml.eos_token_id"],
        "rope_parameters": {"rope_type": "default", "rope_theta": meta[f"{arch}.rope.freq_base"]},
    }


def siglip_sizes(shape) -> dict:
    return {
        "hidden_size": shape.vision_width,
        "intermediate_size": shape.vision_mlp,
        "num_hidden_layers": shape.vision_depth,
        "num_attention_heads": shape.vision_heads,
        "image_size": shape.position_side * shape.patch,
        "patch_size": shape.patch,
    }


def stored_siglip_sizes(meta: dict) -> dict:
    """meta: of the vision file."""
    return {
        "hidden_size": meta["clip.vision.embedding_length"],
        "intermediate_size": meta["clip.vision.feed_forward_length"],
        "num_hidden_layers": meta["clip.vision.block_count"],
        "num_attention_heads": meta["clip.vision.attention.head_count"],
        "image_size": meta["clip.vision.image_size"],
        "patch_size": meta["clip.vision.patch_size"],
        "layer_norm_eps": meta["clip.vision.attention.layer_norm_epsilon"],
    }
