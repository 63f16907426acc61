"""Regenerates everything under reference/fixtures/, or checks what is there.

    python reference/make_fixtures.py               write all fixtures
    python reference/make_fixtures.py --only NAMES  write these checkpoints and their goldens
    python reference/make_fixtures.py --check       reproduce the goldens from the files
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import torch

from fixture_blocks import check_blocks, write_blocks
from fixture_files import check_fixture, write_fixture
from fixture_processors import check_processors, write_processors
from fixture_table import FIXTURES
from fixture_templates import check_templates, write_templates
from fixture_texts import check_texts, write_texts
from fixture_tokenizer import train_tokenizer
from fixture_tokenizers import check_tokenizers, write_tokenizers
from oracle_infinipot import check_infinipot, write_infinipot

FOLDER = Path(__file__).parent / "fixtures"


def write_all() -> None:
    FOLDER.mkdir(exist_ok=True)
    train_tokenizer().save(str(FOLDER / "tokenizer.json"))
    train_tokenizer("smollm").save(str(FOLDER / "tokenizer-smollm.json"))
    train_tokenizer("onevision").save(str(FOLDER / "tokenizer-onevision.json"))
    write_texts(FOLDER)
    write_templates(FOLDER)
    write_tokenizers(FOLDER / "tokenizers")
    write_processors(FOLDER)
    write_blocks(FOLDER / "blocks")
    write_infinipot(FOLDER / "infinipot")
    for shape, cases in FIXTURES:
        write_fixture(shape, cases, FOLDER)
        print("wrote", shape.name, flush=True)


def write_some(names: list[str]) -> None:
    for shape, cases in FIXTURES:
        if shape.name in names:
            write_fixture(shape, cases, FOLDER)
            print("wrote", shape.name, flush=True)


def check_all() -> None:
    check_texts(FOLDER)
    check_templates(FOLDER)
    check_tokenizers(FOLDER / "tokenizers")
    check_processors(FOLDER)
    check_blocks(FOLDER / "blocks")
    check_infinipot(FOLDER / "infinipot")
    for shape, _ in FIXTURES:
        check_fixture(FOLDER / f"{shape.name}.json")
        print("checked", shape.name, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the files instead of writing them")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="checkpoints to write")
    arguments = parser.parse_args()
    logging.getLogger("transformers").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    if arguments.check:
        check_all()
    elif arguments.only:
        write_some(arguments.only)
    else:
        write_all()
