"""Draws the logs of training runs as one picture: `python curves.py OUT.svg LOG.jsonl [LOG.jsonl ...]`.

One panel a group of figures, over the minutes of all stages one after the other.
"""

import json
import sys
from pathlib import Path

PANELS = (("loss", ("loss",)),
          ("codes right", ("held_shape", "held_colour", "held_glyph", "held_motion", "held_row", "held_column")),
          ("present, %", ("present1", "present8", "present16", "present32")), ("past, %", ("past1", "past8", "past16", "past32")),
          ("types, %", ("where", "see", "count", "moving", "before", "after", "distinct", "ago")))
COLOURS = ("#1b6ca8", "#d1495b", "#3a7d44", "#edae49", "#6f4a8e", "#00798c", "#8d6a9f", "#555555")
WIDTH, HEIGHT, LEFT, TOP = 720, 190, 60, 30


def read(paths: list[Path]) -> tuple[dict, list]:
    """Series by name as (minute, value), and (minute, name) of every stage's start."""
    series, starts, offset, stage, last = {}, [], 0.0, None, 0.0
    for path in paths:
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            if entry["stage"] != stage:
                offset, stage, last = offset + last, entry["stage"], 0.0
                starts.append((offset, stage))
            last = entry["seconds"] / 60
            for name, value in entry.items():
                if isinstance(value, (int, float)):
                    series.setdefault(name, []).append((offset + last, value))
    return series, starts


def panel(title: str, lines: dict, starts: list, most: float, top: float) -> list[str]:
    """One chart as SVG elements; `most` minutes wide."""
    values = [v for points in lines.values() for _, v in points]
    low, high = min(0.0, *values), max(values) or 1
    x = lambda minute: LEFT + (WIDTH - LEFT - 150) * minute / most
    y = lambda value: top + TOP + (HEIGHT - 2 * TOP) * (1 - (value - low) / (high - low))
    out = [f'<text x="{LEFT}" y="{top + 20}" font-weight="bold">{title}</text>']
    for value in (low, (low + high) / 2, high):
        out += [f'<line x1="{LEFT}" x2="{x(most)}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#ddd"/>',
                f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.3g}</text>']
    for minute, stage in starts:
        out += [f'<line x1="{x(minute):.1f}" x2="{x(minute):.1f}" y1="{y(high)}" y2="{y(low)}" stroke="#bbb" stroke-dasharray="3"/>',
                f'<text x="{x(minute) + 3:.1f}" y="{y(low) + 14:.1f}" fill="#777">{stage} {minute:.0f} min</text>']
    for number, (name, points) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{x(m):.1f},{y(v):.1f}" for m, v in points)
        label = f'{name.removeprefix("held_")} {points[-1][1]:.3g}'
        out += [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>',
                f'<text x="{WIDTH - 140}" y="{top + TOP + 14 * number + 10}" fill="{colour}">{label}</text>']
    return out


def draw_curves(logs: list[Path], out: Path) -> None:
    if not all(path.exists() for path in logs):
        return
    series, starts = read(logs)
    panels = [(title, {n: series[n] for n in names if n in series}) for title, names in PANELS]
    panels = [(title, lines) for title, lines in panels if lines]
    most = max(m for points in series.values() for m, _ in points) or 1
    body = [element for i, (title, lines) in enumerate(panels) for element in panel(title, lines, starts, most, i * HEIGHT)]
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT * len(panels)}" '
            'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="white"/>')
    out.write_text("\n".join([head, *body, "</svg>\n"]))


if __name__ == "__main__":
    draw_curves([Path(p) for p in sys.argv[2:]], Path(sys.argv[1]))
