"""A launch that is stopped, or killed, goes on to the very weights of one that was left alone."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from adapterkit.config.schema import TrainConfig
from adapterkit.digest import sha256_file
from tests.ranks.conftest import Launches
from tests.workflows.tiny import Workshop

WEIGHTS = "adapter_model.safetensors"
INTERRUPTED = 75

pytestmark = pytest.mark.long


def config_of(shop: Workshop, **changes: Any) -> TrainConfig:
    """Twelve steps of two batches with dropout, an epoch's last batch smaller; evaluated and saved on the way."""
    return shop.config(
        "resumed", batch_size=2, gradient_accumulation_steps=2, max_steps=12, epochs=9, eval_steps=3, save_steps=2,
        validation=str(shop.held_out), force=True, keep_checkpoints=9, **changes,
    )  # fmt: skip


def weights(config: TrainConfig) -> str:
    return sha256_file(Path(config.output_dir) / "adapter" / WEIGHTS)


@pytest.fixture(scope="module")
def left_alone(shop: Workshop, launches: Launches) -> TrainConfig:
    config = config_of(shop)
    # Where no other training looks for checkpoints.
    config.output_dir = str(shop.folder / "alone" / "run")
    outcome = launches.run(config)
    assert outcome.codes == [0, 0], outcome.err
    return config


@pytest.fixture
def outputs(shop: Workshop) -> Path:
    """Where runs of this name lie; there are none yet."""
    folder = shop.folder / "outputs" / "resumed"
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def test_ranks_draw_different_dropout(left_alone: TrainConfig) -> None:
    states = [
        torch.load(Path(left_alone.output_dir) / "checkpoint-2" / f"rng_state_{number}.pth", weights_only=False)["cpu"]
        for number in range(2)
    ]
    assert not torch.equal(*states)


def test_ranks_killed_at_any_moment_go_on_to_the_same_bits(
    shop: Workshop, launches: Launches, left_alone: TrainConfig, outputs: Path
) -> None:
    kills = 0
    for which in ((0, 1), (1,), (0,)):
        config = config_of(shop, resume="auto")
        children = launches.start(config)
        deadline, before = time.monotonic() + 60, len(list(outputs.glob("*/checkpoint-*")))
        while len(list(outputs.glob("*/checkpoint-*"))) == before and time.monotonic() < deadline:
            time.sleep(0.002)
        for number in which:
            with contextlib.suppress(ProcessLookupError):
                os.kill(children[number], signal.SIGKILL)
        codes = launches.end().codes
        kills += sum(code == -signal.SIGKILL for code in codes)
        assert all(codes) or not any(codes), codes
    assert kills
    config = config_of(shop, resume="auto")
    outcome = launches.run(config)
    assert outcome.codes == [0, 0], outcome.err
    assert weights(config) == weights(left_alone)
    print(f"{kills} ranks killed")


@pytest.mark.parametrize("rank", [0, 1])
def test_sigterm_on_one_rank_saves_and_stops_all_at_one_step(
    shop: Workshop, launches: Launches, left_alone: TrainConfig, outputs: Path, rank: int
) -> None:
    config = config_of(shop)
    outcome = launches.run(config, 2, (rank, "terminated"))
    assert outcome.codes == [INTERRUPTED, INTERRUPTED], outcome.err
    assert [path.name for path in Path(config.output_dir).glob("checkpoint-*")] == ["checkpoint-2"]
    assert "stopped after step 2" in outcome.err[0]
    again = config_of(shop, resume="auto")
    assert launches.run(again).codes == [0, 0]
    assert weights(again) == weights(left_alone)


def test_another_number_of_ranks_is_refused(
    shop: Workshop, launches: Launches, left_alone: TrainConfig, outputs: Path
) -> None:
    checkpoint = str(Path(left_alone.output_dir) / "checkpoint-2")
    outcome = launches.run(config_of(shop, resume=checkpoint), 1)
    assert outcome.codes == [1]
    assert "was taken by 2 ranks, and 1 would go on with it" in outcome.err[0]
