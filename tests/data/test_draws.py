"""Draws: the same on every machine, even enough, and blind to the order in which things are met."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from adapterkit.data.draws import number, pick, shuffled, split_of

ROOT = Path(__file__).parents[2]
# A part of the standard library is enough, and fast.
ROWS = """
import sys
from adapterkit.config.schema import DataConfig
from adapterkit.data import definitions, read_splits
files = definitions.source_files
definitions.source_files = lambda folder: [path for path in files(folder) if path.parent.name in ("email", "json")]
for reader in ("grounded", "functions", "module_imports"):
    print(read_splits(DataConfig(reader=reader), None).digest)
assert not {"torch", "transformers", "datasets", "numpy", "email.mime.text"} & set(sys.modules)
"""


def test_numbers_are_those_of_sha256() -> None:
    assert number("split", "json") == 519714357075182339
    assert number("a", "b") != number("ab")
    assert number("a", 1) == number("a", "1")


def test_splits_are_two_thirds_and_two_sixths() -> None:
    counts = Counter(split_of(f"group {index}") for index in range(6000))
    assert counts.keys() == {"train", "validation", "test"}
    assert all(900 < counts[split] < 1100 for split in ("validation", "test"))


def test_shuffling_follows_the_key_and_not_the_order() -> None:
    items = [f"item {index}" for index in range(20)]
    assert shuffled(items, "one") == shuffled(reversed(items), "one")
    assert shuffled(items, "one") != shuffled(items, "two")
    assert sorted(shuffled(items, "one")) == sorted(items)
    assert Counter(pick("abcd", index) for index in range(400)).most_common()[-1][1] > 60


def test_rows_do_not_depend_on_the_seed_of_hashes() -> None:
    runs = {
        subprocess.run(
            [sys.executable, "-c", ROWS],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(runs) == 1
    assert len(set(runs.pop().split())) == 3
