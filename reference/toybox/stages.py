"""The three stages of training: the encoder alone, the decoder on its features, both together.

1. `EncoderStage`: pairs drawn afresh for every step, towards the fixed codes of `codes.py`.
2. `DecoderStage`: streams of pairs whose features the encoder wrote once, so that all time goes into streams.
3. `JointStage`: streams drawn as pixels for every step, through one camera each, and both halves follow the
   answers; the codes stay in as a small pull.
"""

from dataclasses import dataclass
from multiprocessing import Value
from random import Random

import torch
import torch.nn.functional as F

from batches import QUESTIONS, Streams, collate, forward, load
from codes import Codes, code_loss, fit_codes
from lens import Lens
from model import Decoder, Sizes, Vision
from optim import Muon
from raster import Raster
from scenes import SceneBank
from streams import draw_row
from targets import TargetHeads
from tokenizer import Text

CODE_WEIGHT, HINT_WEIGHT = 0.1, 0.3  # of the codes in the joint stage; of the training-only heads
PAST_SHARE = 0.45
CHECKED_LENGTHS, CHECKED_ROWS = (1, 8, 16, 32), 24  # seconds; streams each


@dataclass(frozen=True)
class Scale:
    """How much is done at once; one for a GPU, one for a CPU, one to try everything out."""
    scenes: int
    validation_scenes: int
    pairs: int  # a step of the encoder stage
    tokens: int  # a batch of the decoder and joint stages
    accumulate: int  # batches a step
    drawn: int  # pairs drawn or encoded at once outside of training


GPU = Scale(120_000, 2_000, 1024, 40_960, 3, 1024)
CPU = Scale(4_000, 200, 96, 6_000, 1, 32)
TRIAL = Scale(40, 10, 8, 700, 1, 16)


@dataclass
class World:
    """What all stages train on."""
    scale: Scale
    device: str
    workers: int
    bank: SceneBank
    validation: SceneBank
    seed: int


class Stage:
    """Both halves with the drawn world; subclasses say what a step is."""
    def __init__(self, world: World, sizes: Sizes, vision: Vision, decoder: Decoder):
        self.world, self.sizes, self.device = world, sizes, world.device
        self.vision, self.decoder = vision.to(self.device), decoder.to(self.device)
        self.generator = torch.Generator(self.device).manual_seed(world.seed)
        self.raster, self.held = Raster(world.bank, self.device), Raster(world.validation, self.device)
        self.parts = {"vision": self.vision, "decoder": self.decoder}
        self.half = torch.autocast(torch.device(self.device).type, torch.bfloat16)

    @torch.no_grad()
    def encode(self, raster: Raster, seed: int) -> torch.Tensor:
        """The features of every pair, each through a lens of its own: f16 [pairs, 16, width]."""
        generator, out = torch.Generator(self.device).manual_seed(seed), []
        for pairs in torch.arange(len(raster.scene), device=self.device).split(self.world.scale.drawn):
            with self.half:
                out.append(self.vision(raster.frames(pairs, Lens.draw(len(pairs), generator, self.device))).half())
        return torch.cat(out)

    def code_loss(self, features: torch.Tensor, pairs: torch.Tensor, raster: Raster):
        return code_loss(features.float(), raster.labels[pairs].long(), raster.offsets[pairs].float(), self.codes)

    def fit_codes(self) -> None:
        """The codes of the encoder as it is now; `CodesPart` carries them through an interruption."""
        count = min(len(self.raster.scene), 4096)
        pairs = torch.arange(count, device=self.device)
        with torch.no_grad(), self.half:
            features = torch.cat([self.vision(self.raster.frames(p, Lens.draw(len(p), self.generator, self.device)))
                                  for p in pairs.split(self.world.scale.drawn)])
        self.codes = fit_codes(features.float(), self.raster.labels[pairs].long())


class CodesPart:
    """Makes a stage's codes a part with a state."""

    def __init__(self, stage: Stage):
        self.stage = stage

    def state_dict(self) -> dict:
        return vars(self.stage.codes)

    def load_state_dict(self, state: dict) -> None:
        self.stage.codes = Codes(**state).to(self.stage.device)


def falling(progress: float, step: int) -> float:
    """The share of the base learning rate: a short rise, full for the first third, then down to nothing."""
    return min(1, (step + 1) / 100, 0.01 + 1.5 * (1 - progress))


class EncoderStage(Stage):
    RATE = 0.012

    def __init__(self, *args):
        super().__init__(*args)
        self.codes, self.count = None, 0
        optimizer = Muon.of(lambda name: True, [self.vision], self.RATE, self.RATE / 12)
        self.optimizer, self.parts = optimizer, self.parts | {"codes": CodesPart(self), "optimizer": optimizer}

    def begin(self, progress: float) -> None:
        if self.codes is None:
            self.fit_codes()

    def step(self, progress: float) -> dict:
        pairs = torch.randint(len(self.raster.scene), (self.world.scale.pairs,), generator=self.generator, device=self.device)
        with torch.no_grad():
            frames = self.raster.frames(pairs, Lens.draw(len(pairs), self.generator, self.device))
        with self.half:
            features = self.vision(frames)
        loss, right = self.code_loss(features, pairs, self.raster)
        loss.backward()
        self.optimizer.step(falling(progress, self.count))
        self.count += 1
        return {"loss": loss.detach(), **right}

    @torch.no_grad()
    def check(self) -> dict:
        pairs, generator = torch.arange(len(self.held.scene), device=self.device), torch.Generator(self.device).manual_seed(0)
        marks = []
        for part in pairs.split(self.world.scale.drawn):
            frames = self.held.frames(part, Lens.draw(len(part), generator, self.device))
            with self.half:
                features = self.vision(frames)
            marks.append(self.code_loss(features, part, self.held)[1])
        return {f"held_{k}": torch.stack([m[k] for m in marks]).nanmean().item() for k in marks[0]}


class DecoderStage(Stage):
    RATE = 0.012

    def __init__(self, *args):
        super().__init__(*args)
        self.heads, self.text, self.count = TargetHeads(self.sizes.width).to(self.device), Text(), 0
        self.codes, self.shown = None, Value("d", 0.0)
        self.optimizers = [Muon.of(lambda name: "layers." in name, [self.decoder, self.heads], self.RATE, self.RATE / 6)]
        self.parts |= {"heads": self.heads, "decoder_optimizer": self.optimizers[0], "codes": CodesPart(self)}
        self.taps = (1, self.sizes.layers // 2)

    def begin(self, progress: float) -> None:
        if self.codes is None:
            self.fit_codes()
        self.open_source(progress)
        self.features = self.encode(self.raster, self.world.seed)

    def open_source(self, progress: float) -> None:
        """Sets the workers going; each time a run goes on they draw other streams."""
        self.shown.value, world = self.reached(progress), self.world
        seed = f"{world.seed} {type(self).__name__} {progress}"
        self.source = load(Streams(world.bank, world.scale.tokens, PAST_SHARE, seed, self.shown), world.workers)

    def reached(self, progress: float) -> float:
        """How far streams have grown, see `batches.SHARES`."""
        return progress

    def seen(self, batch) -> tuple[torch.Tensor, torch.Tensor | float]:
        """The features of the pairs a batch sees, and what else is to be learned from them."""
        return self.features[batch.seen.long()], 0.0

    def step(self, progress: float) -> dict:
        self.shown.value, marks = self.reached(progress), []
        for _ in range(self.world.scale.accumulate):
            batch = next(self.source).to(self.device)
            with self.half:
                features, extra = self.seen(batch)
                hidden, targets, (early, middle) = forward(self.decoder, batch, features, self.taps)
                logits, visual = self.decoder.logits(hidden).float(), batch.ids == -1
                hints, each = self.heads(early[visual], middle[visual], batch.learn)
            loss = F.cross_entropy(logits, targets)
            ((loss + HINT_WEIGHT * hints + extra) / self.world.scale.accumulate).backward()
            hit = (logits.detach().argmax(-1) == targets).float().mean()
            questions = (targets == self.text.im_end).sum()
            marks.append({"loss": loss.detach(), "token_hit": hit, "questions": questions * self.world.scale.accumulate, **each})
        for optimizer in self.optimizers:
            optimizer.step(falling(progress, self.count))
        self.count += 1
        return {k: torch.stack([m[k].float() for m in marks]).mean() for k in marks[0]}

    @torch.no_grad()
    def check(self) -> dict:
        """Teacher-forced whole answers on fixed unseen streams, in %, by tense and length and by type."""
        features, tables = self.encode(self.held, 0), ({}, {})
        for seconds in CHECKED_LENGTHS:
            rng = Random(seconds)
            for _ in range(0, CHECKED_ROWS, 8):
                rows = [draw_row(rng, self.world.validation, self.text, seconds, QUESTIONS, 0.5) for _ in range(8)]
                batch = collate(rows).to(self.device)
                with self.half:
                    hidden, targets, _ = forward(self.decoder, batch, features[batch.seen.long()])
                    hits = self.decoder.logits(hidden).argmax(-1) == targets
                scored = (batch.targets != -100).nonzero()  # in the order of hits: row, place
                wrong = torch.zeros(len(rows), QUESTIONS + 1, device=self.device).index_put(
                    (scored[:, 0], batch.branch[scored[:, 0], scored[:, 1]].long()), (~hits).float(), accumulate=True)
                for row, counts in zip(rows, wrong.tolist()):
                    for question, count in zip(row.questions, counts[1:]):
                        tables[0].setdefault(f"{question.tense}{seconds}", []).append(not count)
                        tables[1].setdefault(question.type, []).append(not count)
        return {k: 100 * sum(v) / len(v) for table in tables for k, v in sorted(table.items())}


class JointStage(DecoderStage):
    RATE, VISION_RATE = 0.006, 0.003

    def __init__(self, *args):
        super().__init__(*args)
        self.optimizers.append(Muon.of(lambda name: True, [self.vision], self.VISION_RATE, self.VISION_RATE / 12))
        self.parts["vision_optimizer"] = self.optimizers[1]

    def begin(self, progress: float) -> None:
        if self.codes is None:
            self.fit_codes()
        self.open_source(progress)

    def reached(self, progress: float) -> float:
        return 1.0

    def seen(self, batch) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.no_grad():
            lens = Lens.draw(int(batch.owner[-1]) + 1, self.generator, self.device).rows(batch.owner.long())
            frames = self.raster.frames(batch.seen.long(), lens)
        features = self.vision(frames)
        with torch.autocast(torch.device(self.device).type, enabled=False):
            return features, CODE_WEIGHT * self.code_loss(features, batch.seen.long(), self.raster)[0]
