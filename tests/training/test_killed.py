"""Trainings that are killed at any moment, and told to stop, come to the very weights of one that was left alone."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapterkit.config.schema import TrainConfig
from adapterkit.digest import sha256_file
from tests.training.conftest import WEIGHTS
from tests.workflows.tiny import Workshop

ROOT = Path(__file__).parents[2]
INTERRUPTED, CTRL_C = 75, 130
# What a training may end with, by the signal; where it does not listen, it ends as any process does.
ENDS = {
    signal.SIGKILL: {-signal.SIGKILL},
    signal.SIGTERM: {-signal.SIGTERM, INTERRUPTED},
    signal.SIGINT: {CTRL_C, INTERRUPTED},
}


class Trainings:
    """Trainings in processes of their own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.training.training_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]), "OMP_NUM_THREADS": "1"},
        )
        assert self._line() == "ready"

    def start(self, config: TrainConfig) -> int:
        """Begin one, and return its process id."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(dataclasses.asdict(config)) + "\n")
        self._process.stdin.flush()
        return int(self._line())

    def end(self) -> int:
        """Wait for it, and return its exit code."""
        return int(self._line())

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()


@pytest.fixture(scope="module")
def trainings() -> Iterator[Trainings]:
    made = Trainings()
    yield made
    made.close()


def config_of(shared: Workshop, **changes: object) -> TrainConfig:
    """Eleven steps of two batches each with dropout, an evaluation every third and a checkpoint every second."""
    return shared.config(
        "child", "unified", max_steps=11, batch_size=1, gradient_accumulation_steps=2, eval_steps=3, save_steps=2,
        validation=str(shared.held_out), epochs=6, force=True, **changes,
    )  # fmt: skip


@pytest.fixture(scope="module")
def left_alone(shared: Workshop, trainings: Trainings) -> tuple[str, float]:
    """The weights of a training that nothing interrupts, and how long one takes from a warm disk cache."""
    for _ in range(2):
        config, start = config_of(shared), time.monotonic()
        trainings.start(config)
        assert trainings.end() == 0
        seconds = time.monotonic() - start
    digest = sha256_file(Path(config.output_dir) / "adapter" / WEIGHTS)
    shutil.rmtree(shared.folder / "outputs" / "child")
    return digest, seconds


def interrupted_until_done(
    shared: Workshop, trainings: Trainings, draw: random.Random, number: int, seconds: float
) -> tuple[str, int]:
    """Go on with a training, interrupted again and again once something was saved; its weights, and how often."""
    outputs, count = shared.folder / "outputs" / "child", 0
    while True:
        config = config_of(shared, resume="auto")
        child, own = trainings.start(config), Path(config.output_dir)
        deadline = time.monotonic() + 60
        while not list(outputs.glob("*/checkpoint-*")) and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(draw.uniform(0, seconds))
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)
            if number == signal.SIGINT and draw.random() < 0.5:
                time.sleep(draw.uniform(0, 0.05))
                os.kill(child, number)
        code = trainings.end()
        if code == 0:
            digest = sha256_file(own / "adapter" / WEIGHTS)
            shutil.rmtree(outputs)
            return digest, count
        assert code in ENDS[signal.Signals(number)], code
        count += 1


@pytest.mark.parametrize(
    ("number", "times"),
    [
        pytest.param(signal.SIGKILL, 1, marks=pytest.mark.long),
        pytest.param(signal.SIGKILL, 100, marks=pytest.mark.long),
        pytest.param(signal.SIGTERM, 30, marks=pytest.mark.long),
        pytest.param(signal.SIGINT, 10, marks=pytest.mark.long),
    ],
)
def test_an_interrupted_training_comes_to_the_weights_of_one_left_alone(
    shared: Workshop,
    trainings: Trainings,
    left_alone: tuple[str, float],
    record_property: Callable[[str, object], None],
    number: int,
    times: int,
) -> None:
    (expected, seconds), draw, count, runs = left_alone, random.Random(times), 0, 0
    while count < times:
        digest, more = interrupted_until_done(shared, trainings, draw, number, seconds)
        assert digest == expected
        count, runs = count + more, runs + 1
    assert runs
    assert shared.registry.verify("unified").ok
    record_property(signal.Signals(number).name, count)
    record_property("trainings", runs)
