"""Writes one fixture (NAME.model.gguf, NAME.mmproj.gguf, NAME.json and arrays) and checks it."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import PreTrainedModel
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

import golden_cases as golden
import llava_onevision
import smolvlm2
from fixture_models import Shape, allow_only, config_of, random_model
from fixture_pictures import random_frames
from fixture_table import QUESTIONS, Case, Part, Reply
from fixture_tokenizer import CHAT_TEMPLATE, CHAT_TEMPLATE_PLAIN, load_tokenizer, printable_ascii_ids, token_ids
from from_gguf import load_model, read_gguf
from gguf_pair import write_gguf_pair
from pixel_values import TEMPORAL

# So that greedy tokens are a fair demand: the best logit always leads by this much,
# with the cache in float32 and in float16.
SMALLEST_MARGIN = 0.04
# llama.cpp computes in float16 in places, and takes GELU's tanh form from a table.
SMALLEST_MARGIN_LLAMA_CPP = 0.1
FEWEST_DISTINCT = 9  # of 24 greedy tokens
MOST_REPEATS = 8
LOGITS_SPREAD = (0.8, 3.5)  # standard deviation
CHECK_TOLERANCE = 1e-4  # logits and visual tokens, another machine's float32


def write_fixture(shape: Shape, cases: list[Case], folder: Path) -> None:
    """Draws the model, then for each case the first seed whose greedy path is clear-cut."""
    tokenizer_path = folder / tokenizer_file(shape.family)
    model_path, mmproj_path = folder / f"{shape.name}.model.gguf", folder / f"{shape.name}.mmproj.gguf"
    tokenizer, config = load_tokenizer(tokenizer_path), config_of(shape, token_ids(tokenizer_path))
    drawn = random_model(shape, config)
    if shape.for_llama_cpp:
        allow_only(drawn, printable_ascii_ids(tokenizer))
    write_gguf_pair(
        config, drawn.state_dict(), tokenizer_path, chat_template(shape), shape.image_mean, shape.image_std, model_path, mmproj_path,
        shape.model_type, shape.mmproj_type, f"Ringside fixture {shape.name}",
    )
    model = load_model(model_path, mmproj_path)
    records = [_search(model, tokenizer, shape, case, folder) for case in cases]
    header = {
        "name": shape.name,
        "about": shape.about,
        "modelFile": model_path.name,
        "mmprojFile": mmproj_path.name,
        "config": describe(model.config, shape.image_mean, shape.image_std) | {
            "projector": shape.family,
            "modelType": shape.model_type,
            "mmprojType": shape.mmproj_type,
        },
    }
    write_json(folder / f"{shape.name}.json", header, records)


def tokenizer_file(projector: str) -> str:
    kinds = {smolvlm2.PROJECTOR: "tokenizer-smollm.json", llava_onevision.PROJECTOR: "tokenizer-onevision.json"}
    return kinds.get(projector, "tokenizer.json")


def chat_template(shape: Shape) -> str:
    """That of the decoder's file."""
    if shape.family == smolvlm2.PROJECTOR:
        return smolvlm2.CHAT_TEMPLATE
    if shape.family == llava_onevision.PROJECTOR:
        return llava_onevision.CHAT_TEMPLATE
    return CHAT_TEMPLATE_PLAIN if shape.is_qwen3 else CHAT_TEMPLATE


def describe(config, image_mean, image_std) -> dict:
    """The hyper-parameters a reader must find in the files."""
    text, vision = config.text_config, config.vision_config
    plain = config.model_type == "qwen2_vl"
    width = vision.embed_dim if plain else vision.hidden_size
    siglip = config.model_type in golden.SIGLIP
    vision_heads = vision.num_attention_heads if siglip else vision.num_heads
    return {
        "vocabSize": text.vocab_size,
        "hiddenSize": text.hidden_size,
        "intermediateSize": text.intermediate_size,
        "layers": text.num_hidden_layers,
        "heads": text.num_attention_heads,
        "kvHeads": text.num_key_value_heads,
        "headDim": getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads,
        "mropeSection": list(text.rope_parameters.get("mrope_section", ())),
        "ropeTheta": text.rope_parameters["rope_theta"],
        "rmsNormEps": text.rms_norm_eps,
        "contextLength": text.max_position_embeddings,
        "tiedEmbeddings": config.tie_word_embeddings,
        "eosId": text.eos_token_id,
        "imagePadId": config.image_token_id,
        "videoPadId": golden.pad_ids(config)[1],
        "visionStartId": getattr(config, "vision_start_token_id", None),
        "visionEndId": getattr(config, "vision_end_token_id", None),
        "visionWidth": width,
        "visionLayers": vision.num_hidden_layers if siglip else vision.depth,
        "visionHeads": vision_heads,
        "visionHeadDim": width // vision_heads,
        "visionIntermediateSize": width * vision.mlp_ratio if plain else vision.intermediate_size,
        "patchSize": vision.patch_size,
        "mergeSize": golden.merge_of(config),
        "framesPerPatch": 1 if siglip else TEMPORAL,
        "videoPooling": llava_onevision.POOL if config.model_type == llava_onevision.MODEL_TYPE else 1,
        "deepstackLayers": len(getattr(vision, "deepstack_visual_indexes", ())),
        "imageMean": list(image_mean),
        "imageStd": list(image_std),
    }


def _search(model: PreTrainedModel, tokenizer, shape: Shape, case: Case, folder: Path) -> dict:
    smallest = SMALLEST_MARGIN_LLAMA_CPP if shape.for_llama_cpp else SMALLEST_MARGIN
    for seed in range(shape.seed * 1000, shape.seed * 1000 + 1000):
        messages, text, media = _compose(tokenizer, case, seed, model.config)
        prompt = golden.make_prompt(tokenizer, text, media, shape.image_mean, shape.image_std, model.config)
        logits, ids = golden.greedy(model, prompt, half_cache=False)
        half_logits, half_ids = golden.greedy(model, prompt, half_cache=True)
        margin = float(min(golden.margins(logits).min(), golden.margins(half_logits).min()))
        counts = [ids.count(token) for token in set(ids)]
        pads = set(golden.pad_ids(model.config))
        spellable = max(ids) < len(tokenizer) and not pads & set(ids)
        clear = margin >= smallest and ids == half_ids and spellable
        if clear and len(counts) >= FEWEST_DISTINCT and max(counts) <= MOST_REPEATS:
            break
    else:
        raise RuntimeError(f"{shape.name} {case.name}: no seed gives a clear greedy path")
    usable = logits[:, printable_ascii_ids(tokenizer)]
    assert LOGITS_SPREAD[0] < usable.std(axis=-1).mean() < LOGITS_SPREAD[1]
    stem = f"{shape.name}.{case.name}"
    record = {"name": case.name, "seed": seed, "messages": messages, "prompt": text, "ids": prompt.ids}
    record["media"] = [_save_medium(prompt, i, f"{stem}.frames-{i}.npy", folder) for i in range(len(media))]
    if shape.for_llama_cpp:
        for i, medium in enumerate(media):
            record["media"][i]["pngFile"] = f"{stem}.image-{i}.png"
            Image.fromarray(medium.frames[0]).save(folder / f"{stem}.image-{i}.png")
    record["positions"] = prompt.positions.tolist()
    record["nextPosition"] = int(prompt.positions.max()) + 1
    theirs = golden.transformers_positions(model, prompt) if media else prompt.positions
    if not torch.equal(theirs, prompt.positions):
        record["transformersPositions"] = theirs.tolist()
    if media:
        record["visualTokensFile"] = f"{stem}.visual.npy"
        np.save(folder / record["visualTokensFile"], golden.visual_tokens(model, prompt))
    record["lastLogits"] = encode(logits[0])
    record["lastLogitsF16Cache"] = encode(half_logits[0])
    record["greedyIds"] = ids
    record["greedyText"] = tokenizer.decode(ids)
    record["greedyTop3"] = golden.top_logprobs(logits, 3)
    record["smallestMargin"] = round(margin, 4)
    return record


def _compose(tokenizer, case: Case, seed: int, config) -> tuple[list | None, str, list[golden.Medium]]:
    """The chat messages (or none), the prompt text and the media of one attempt."""
    patch = config.vision_config.patch_size
    choose = np.random.default_rng(seed)
    words = " ".join(QUESTIONS).split()
    question = " ".join([QUESTIONS[seed % len(QUESTIONS)], *choose.choice(words, 4)])
    messages, media = [{"role": "user", "content": []}], []
    for i, part in enumerate(case.parts):
        content = messages[-1]["content"]
        if isinstance(part, Part):
            frames = random_frames(seed * 10 + i, part.frames, part.height * patch, part.width * patch)
            media.append(golden.Medium(part.kind, frames, part.fps))
            content.append({"type": part.kind})
        elif isinstance(part, Reply):
            messages += [{"role": "assistant", "content": part.text}, {"role": "user", "content": []}]
        else:
            content.append({"type": "text", "text": part.replace("QUESTION", question)})
    if not case.chat:
        content = messages[0]["content"]
        return None, "".join(part.get("text") or f"<|{part['type']}_pad|>" for part in content), media
    return messages, _rendered(tokenizer, messages, media, config), media


def _rendered(tokenizer, messages: list, media: list[golden.Medium], config) -> str:
    """Through the family's chat template, with times where it writes them."""
    if config.model_type == smolvlm2.MODEL_TYPE:
        return smolvlm2.rendered(tokenizer, messages, media)
    if config.model_type == llava_onevision.MODEL_TYPE:
        return llava_onevision.rendered(tokenizer, messages)
    template = CHAT_TEMPLATE_PLAIN if golden.writes_times(config) else CHAT_TEMPLATE
    text = tokenizer.apply_chat_template(
        messages, chat_template=template, tokenize=False, add_generation_prompt=True
    )
    return golden.with_times(text, media) if golden.writes_times(config) else text


def _save_medium(prompt: golden.Prompt, index: int, file: str, folder: Path) -> dict:
    medium = prompt.media[index]
    np.save(folder / file, medium.frames)
    return {
        "kind": medium.kind,
        "framesFile": file,
        "frameCount": len(medium.frames),
        "framesPerSecond": medium.fps,
        "grid": list(prompt.grids[index]),
        "tokenStart": next(start for start, _, medium_index in prompt.runs if medium_index == index),
        "tokenCount": sum(count for _, count, medium_index in prompt.runs if medium_index == index),
    }


def encode(values: np.ndarray) -> str:
    """Little-endian float32 as base64."""
    return base64.b64encode(np.ascontiguousarray(values, dtype="<f4").tobytes()).decode("ascii")


def decode(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype="<f4")


def write_json(path: Path, header: dict, records: list[dict], key: str = "cases") -> None:
    """header, then `key`: one line a record."""
    lines = [json.dumps(record, ensure_ascii=False, separators=(",", ":")) for record in records]
    head = json.dumps(header, ensure_ascii=False, indent=1)[:-2] + f',\n "{key}": [\n' if header else f'{{\n "{key}": [\n'
    path.write_text(head + ",\n".join(lines) + "\n]}\n", encoding="utf-8")


def check_fixture(path: Path) -> None:
    """Rebuilds everything from the files alone and compares with the goldens."""
    folder, fixture = path.parent, json.loads(path.read_text("utf-8"))
    tokenizer_path = folder / tokenizer_file(fixture["config"]["projector"])
    tokenizer = load_tokenizer(tokenizer_path)
    metadata, _ = read_gguf(folder / fixture["modelFile"])
    _check_tokenizer(metadata, json.loads(tokenizer_path.read_text("utf-8")))
    vision_metadata, _ = read_gguf(folder / fixture["mmprojFile"])
    mean, std = fixture["config"]["imageMean"], fixture["config"]["imageStd"]
    for key, values in (("clip.vision.image_mean", mean), ("clip.vision.image_std", std)):
        np.testing.assert_allclose(vision_metadata[key], values, rtol=1e-6)
    model = load_model(folder / fixture["modelFile"], folder / fixture["mmprojFile"])
    for key, value in describe(model.config, mean, std).items():
        wanted = fixture["config"][key]
        assert wanted == value or np.allclose(wanted, value, rtol=1e-6), f"{path.name}: {key}"
    for case in fixture["cases"]:
        _check_case(model, tokenizer, case, folder, mean, std)


def _check_case(model, tokenizer, case: dict, folder: Path, mean, std) -> None:
    media = [golden.Medium(m["kind"], np.load(folder / m["framesFile"]), m["framesPerSecond"]) for m in case["media"]]
    if case["messages"]:
        assert _rendered(tokenizer, case["messages"], media, model.config) == case["prompt"]
    prompt = golden.make_prompt(tokenizer, case["prompt"], media, mean, std, model.config)
    images = [i for i, medium in enumerate(media) if medium.kind == "image"]
    if images and model.config.model_type == smolvlm2.MODEL_TYPE:
        whole = {"longest_edge": len(media[images[0]].frames[0])}
        processor = SmolVLMImageProcessorPil(
            image_mean=mean, image_std=std, do_image_splitting=False, do_resize=False, max_image_size=whole
        )
        theirs = processor([media[i].frames[0] for i in images], return_tensors="pt")["pixel_values"][0]
        torch.testing.assert_close(torch.cat([prompt.values[i] for i in images]), theirs, atol=1e-6, rtol=0)
    elif images and model.config.model_type == llava_onevision.MODEL_TYPE:
        processor = SiglipImageProcessorPil(image_mean=mean, image_std=std, do_resize=False)
        theirs = processor([media[i].frames[0] for i in images], return_tensors="pt")["pixel_values"]
        torch.testing.assert_close(torch.cat([prompt.values[i] for i in images]), theirs, atol=1e-6, rtol=0)
    elif images:
        patch = model.config.vision_config.patch_size
        processor = Qwen2VLImageProcessorPil(image_mean=mean, image_std=std, min_pixels=28 * 28, patch_size=patch)
        theirs = processor([media[i].frames[0] for i in images], return_tensors="pt")
        assert theirs["image_grid_thw"].tolist() == [list(prompt.grids[i]) for i in images]
        torch.testing.assert_close(torch.cat([prompt.values[i] for i in images]), theirs["pixel_values"], atol=1e-6, rtol=0)
    for medium, record in zip(media, case["media"]):
        if "pngFile" in record:
            assert np.array_equal(np.asarray(Image.open(folder / record["pngFile"])), medium.frames[0])
    assert prompt.ids == case["ids"]
    assert prompt.positions.tolist() == case["positions"]
    for half, key in ((False, "lastLogits"), (True, "lastLogitsF16Cache")):
        logits, ids = golden.greedy(model, prompt, half)
        np.testing.assert_allclose(logits[0], decode(case[key]), atol=CHECK_TOLERANCE)
        assert ids == case["greedyIds"], case["name"]
    if media:
        visual = np.load(folder / case["visualTokensFile"])
        np.testing.assert_allclose(golden.visual_tokens(model, prompt), visual, atol=CHECK_TOLERANCE)
    if "transformersPositions" not in case:
        assert golden.generate(model, prompt) == case["greedyIds"], case["name"]


def _check_tokenizer(metadata: dict, tokenizer: dict) -> None:
    tokens = metadata["tokenizer.ggml.tokens"]
    for content, token_id in tokenizer["model"]["vocab"].items():
        assert tokens[token_id] == content
    for added in tokenizer["added_tokens"]:
        assert tokens[added["id"]] == added["content"]
    merges = [" ".join(merge) for merge in tokenizer["model"]["merges"]]
    assert metadata["tokenizer.ggml.merges"] == merges
