"""Publish, promote, roll back, collect and crash in any order: the registry is always what the model says.

A crash is a SIGKILL in the middle of an operation. After it the operation is done or not done; nothing else changed.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from artifacts.samples import lora_tensors, write_adapter
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from adapterkit.artifacts import measure_sound
from registry.bench import Raw
from registry.machine import RegistryMachine
from registry.model import LATEST, PROMOTE, ROLLBACK

SHAPES = ((1, 8), (1, 16))
# In as many parts as can run at the same time.
SEQUENCES, PARTS, STEPS = 1000, 4, 25
KILLED = ("publish", PROMOTE, ROLLBACK, "collect")


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """In memory where that is possible: what a flush to a disk costs is no part of this."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def raws(home: Path) -> list[Raw]:
    made = []
    for seed, (rank, alpha) in [(0, SHAPES[0]), (1, SHAPES[0]), (2, SHAPES[0]), (3, SHAPES[1])]:
        tensors = lora_tensors(rank=rank, seed=seed)
        folder = write_adapter(home / f"raw-{seed}", tensors=tensors, r=rank, lora_alpha=alpha)
        made.append(Raw(folder, measure_sound(folder).digest, (rank, alpha)))
    return made


def run(raws: list[Raw], home: Path, sequences: int, **more: Any) -> Counter[str]:
    """Try that many sequences and tell what was done in them."""
    done: Counter[str] = Counter()
    limits = {"deadline": None, "database": None, "print_blob": True, "suppress_health_check": list(HealthCheck)}
    wanted = settings(max_examples=sequences, stateful_step_count=STEPS, **limits, **more)
    run_state_machine_as_test(lambda: RegistryMachine(raws, home, done), settings=wanted)
    print(dict(done))
    return done


def test_a_few_sequences(raws: list[Raw], home: Path) -> None:
    done = run(raws, home, 8, derandomize=True)
    assert sum(done[f"crashes of {what}"] for what in ("publish", PROMOTE, ROLLBACK)) > 5


def test_killed_early_and_late(raws: list[Raw], home: Path) -> None:
    done: Counter[str] = Counter()
    for step in (1, 2, 3, 5, 8, 11, 15):
        machine = RegistryMachine(raws, home, done)
        machine.publish_families(weights=0, key=0, times=2)
        for act in (
            partial(machine.publish, "child", 2, 7, None, None, None, None, step),
            partial(machine.promote, 0, "production", None, step),
            partial(machine.roll_back_to, 0, LATEST, lost=False, kill=step),
            partial(machine.collect, 1, step),
        ):
            act()
            machine.it_is_what_the_model_says()
            machine.nothing_that_is_needed_is_gone()
            machine.no_byte_changed()
            machine.refs_lead_where_they_should()
        machine.teardown()
    assert min(done[f"crashes of {what}"] for what in KILLED) > 3


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_many_sequences(raws: list[Raw], home: Path, part: int) -> None:
    done: Counter[str] = Counter()
    while (missing := SEQUENCES // PARTS - done["sequences"] + done["short"]) > 0:
        done += run(raws, home, missing)
    assert min(done[f"crashes of {what}"] for what in KILLED) > 100 // PARTS
