"""What was visible in a stream, second by second, and in which order things came.

The bridge between drawn scenes and questions: no pixels, no wording.
"""

from dataclasses import dataclass

from world import SIZE


@dataclass(frozen=True)
class Sight:
    """One thing at one second: its centre (pixels, second frame of the pair) and its motion."""
    shape: str
    colour: str
    glyph: str
    x: float
    y: float
    motion: str | None  # a direction, "" for still, None where it cannot be told

    @property
    def name(self) -> str:
        return f"{self.shape} {self.glyph}" if self.glyph else f"{self.colour} {self.shape}"

    @property
    def cell(self) -> int:
        """The visual token whose cell holds the centre: 4x4, row by row."""
        return min(3, int(self.y / SIZE * 4)) * 4 + min(3, int(self.x / SIZE * 4))


def moments(seconds: int, things: list) -> list[list[Sight]]:
    """The sights of every second of a scene, in the order of their visual tokens."""
    seen = []
    for second in range(seconds):
        sights = [Sight(t.shape, t.colour, t.glyph, *t.path[2 * second + 1], t.motion[second])
                  for t in things if t.path[2 * second + 1]]
        seen.append(sorted(sights, key=lambda s: s.cell))
    return seen


class Timeline:
    """The sights of a stream so far; `now` is its last second."""

    def __init__(self, seconds: list[list[Sight]]):
        self.seconds = seconds
        self.now = seconds[-1]
        self.last_seen = {}  # name -> second
        self.entrances = []  # (second, names that came then), in time order
        before = set()
        for second, sights in enumerate(seconds):
            fresh = [s.name for s in sights if s.name not in before]
            before = {s.name for s in sights}
            if fresh:
                self.entrances.append((second, fresh))
            for sight in sights:
                self.last_seen[sight.name] = second
        self.names = list(self.last_seen)

    def entered_once(self, name: str) -> int | None:
        """Index in `entrances` of the only entrance of `name`; None if it came more than once."""
        found = [i for i, (_, names) in enumerate(self.entrances) if name in names]
        return found[0] if len(found) == 1 else None
