"""Proves that the training network equals transformers' Qwen2VL: `python check_parity.py MODEL`.

A dialogue with frames in two turns: logits against the model, positions against get_rope_index.
Text after a video starts at the largest position + 1, as in the Qwen2-VL paper. transformers 5.23
starts it at start + max(rows, columns) instead, which is the same only for videos of up to four
frame pairs here, so longer ones are compared with the positions given.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from transformers import Qwen2VLForConditionalGeneration

import world
from attention import Branching
from checkpoint import load_pair
from model import GRID, hf_config, hf_state_dict, patchify
from streams import Layout
from tokenizer import Text


@torch.no_grad()
def main(model: Path) -> None:
    (sizes, vision, decoder), text = load_pair(model), Text()
    reference = Qwen2VLForConditionalGeneration(hf_config(text.special, sizes)).eval()
    missing, extra = reference.load_state_dict(hf_state_dict(vision, decoder), strict=False)
    assert set(missing) <= {"lm_head.weight"} and not extra, (missing, extra)
    reference.tie_weights()
    frames = torch.from_numpy(np.concatenate([world.draw_scene((2, 0, i)).frames for i in range(3)]))
    seconds, cut = len(frames), 2
    features, layout = vision(frames), Layout()
    layout.text([*text.open_user, *text.open_vision])
    layout.frames(0, cut)
    layout.turn([text.vision_end], "What do you see?", "I see a red star.", text, False)
    layout.text([*text.next_turn, *text.open_vision])
    layout.frames(cut, seconds)
    layout.text([text.vision_end, *text.encode("Where is the star?"), *text.open_answer])
    row = layout.row()
    ids, positions = torch.from_numpy(row.ids).long(), torch.from_numpy(row.positions).long()
    pad = text.special["<|video_pad|>"]
    hidden = decoder.embed_tokens(ids.clamp(min=0))
    hidden[ids == -1] = features.flatten(0, 1)
    own = decoder.logits(decoder(hidden[None], positions[None], Branching([row.branch.tolist()]))[0])[0]
    full = torch.where(ids == -1, pad, ids)[None]
    grids = torch.tensor([[cut, 2 * GRID, 2 * GRID], [seconds - cut, 2 * GRID, 2 * GRID]])
    kinds = (full == pad).long() * 2
    theirs, _ = reference.model.get_rope_index(full, mm_token_type_ids=kinds, video_grid_thw=grids)
    first_turn = (ids == -1).nonzero()[cut * 16].item()  # up to here both rules agree, see above
    assert torch.equal(theirs[:, 0, :first_turn].T, positions[:first_turn]), "positions differ"
    logits = reference(input_ids=full, pixel_values_videos=patchify(frames).flatten(0, 1), video_grid_thw=grids,
                       mm_token_type_ids=kinds, position_ids=positions.T[:, None]).logits[0]
    print("largest logit difference", (own - logits).abs().max().item(), "of", logits.abs().max().item())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
