"""Averages two decoders of one training run: `python average.py OUT A B SHARE` gives (1 - SHARE) A + SHARE B.

Weights a short leg apart lie in one basin, and their mean keeps what either has learned (model soups,
arXiv 2203.05482): here what the long run knew, and what a leg on crowded streams added.
"""

import sys
from pathlib import Path

import torch


def main(out: Path, first: Path, second: Path, share: float) -> None:
    a, b = torch.load(first), torch.load(second)
    torch.save({part: {name: torch.lerp(a[part][name], b[part][name], share) for name in a[part]} for part in a}, out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), float(sys.argv[4]))
