"""The course of a training run: stages of so many minutes, a log, and a folder from which it goes on.

A run can be stopped at any moment and started again: what a stage needs to go on is written every
minute, and only time spent training counts. The folder holds

- `model.pt`: both halves in float16, the newest
- `state.pt`: weights, optimizers and random states of the stage under way
- `log.jsonl`: a line every few seconds
- `scenes.*`: the banks of scenes
"""

import json
import random
import time
from pathlib import Path

import numpy as np
import torch

from checkpoint import save_pair, write

HANDED_ON = ("vision", "decoder", "codes", "heads")  # parts that a stage takes over from the one before
LOG_SECONDS, CHECK_SECONDS, SAVE_SECONDS = 10, 90, 60


class Stopped(Exception):
    """The time of this call is over, that of the run is not."""


class Run:
    def __init__(self, folder: Path, stop_after: float, settings: dict):
        """`stop_after`: minutes from now; `settings` must be the same each time the run goes on."""
        self.folder, self.deadline = folder, time.monotonic() + 60 * stop_after
        folder.mkdir(parents=True, exist_ok=True)
        self.state = torch.load(folder / "state.pt", map_location="cpu", weights_only=False) if (
            folder / "state.pt").exists() else {"settings": settings, "done": [], "stage": None, "elapsed": 0.0, "step": 0}
        if self.state["settings"] != settings:
            raise SystemExit(f"{folder} holds a run with other settings, {self.state['settings']}: name another folder.")

    def log(self, **values) -> None:
        """Writes and prints a line; what is not a number (no card in a small batch, say) is left out."""
        line = {k: round(v, 4) if isinstance(v, float) else v for k, v in values.items() if v == v}
        with open(self.folder / "log.jsonl", "a") as file:
            file.write(json.dumps(line) + "\n")
        print(" ".join(f"{k} {v}" for k, v in line.items()), flush=True)

    def resume(self, stage, name: str) -> None:
        """Puts a stage back where it was stopped; a new one gets codes and heads from the stage before."""
        under_way = self.state["stage"] == name
        for part, value in self.state.get("parts", {}).items():
            if part in stage.parts and (under_way or part in HANDED_ON):
                stage.parts[part].load_state_dict(value)
        if under_way:
            random.setstate(self.state["python"])
            np.random.set_state(self.state["numpy"])
            torch.set_rng_state(self.state["torch"])
            stage.generator.set_state(self.state["device"])

    def save(self, stage, name: str, elapsed: float, step: int) -> None:
        parts = {part: value.state_dict() for part, value in stage.parts.items()}
        self.state |= dict(stage=name, elapsed=elapsed, step=step, parts=parts, python=random.getstate(),
                           numpy=np.random.get_state(), torch=torch.get_rng_state(), device=stage.generator.get_state())
        write(self.folder / "state.pt", self.state)
        save_pair(self.folder / "model.pt", stage.sizes, stage.vision, stage.decoder)

    def carry_out(self, name: str, stage, minutes: float) -> None:
        """Trains for so many minutes, those of earlier calls included.

        A stage has `parts` (what has a state), `sizes`, `vision`, `decoder` and `generator`; `begin(progress)`;
        `step(progress)` -> tensors to log; `check()` -> floats to log.
        """
        elapsed, step = (self.state["elapsed"], self.state["step"]) if self.state["stage"] == name else (0.0, 0)
        stage.begin(elapsed / (60 * minutes))
        began, due = time.monotonic() - elapsed, dict.fromkeys(("log", "check", "save"), elapsed)
        due["log"], due["check"], due["save"], marks, mark_time, mark_step = (
            elapsed + LOG_SECONDS, elapsed + CHECK_SECONDS, elapsed + SAVE_SECONDS, [], elapsed, step)
        while (elapsed := time.monotonic() - began) < 60 * minutes:
            if time.monotonic() > self.deadline:
                self.save(stage, name, elapsed, step)
                raise Stopped
            marks.append(stage.step(elapsed / (60 * minutes)))
            step += 1
            if elapsed > due["log"]:
                means = {k: torch.stack([m[k].float() for m in marks]).mean().item() for k in marks[0]}
                self.log(stage=name, seconds=round(elapsed, 1), step=step,
                         steps_per_second=(step - mark_step) / (elapsed - mark_time), **means)
                marks, mark_time, mark_step, due["log"] = [], elapsed, step, elapsed + LOG_SECONDS
            if elapsed > due["check"]:
                self.log(stage=name, seconds=round(elapsed, 1), step=step, **stage.check())
                due["check"] = elapsed + CHECK_SECONDS
            if elapsed > due["save"]:
                self.save(stage, name, elapsed, step)
                due["save"] = elapsed + SAVE_SECONDS
        self.log(stage=name, seconds=round(elapsed, 1), step=step, **stage.check())
        self.save(stage, name, elapsed, step)
        self.state |= dict(done=[*self.state["done"], name], stage=None, elapsed=0.0, step=0)
        write(self.folder / "state.pt", self.state)
