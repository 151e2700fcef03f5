"""Every schedule warms up and then goes where its name says."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from adapterkit.config.schema import ScheduleConfig
from adapterkit.training.schedules import exponential
from adapterkit.workflows.train import train
from tests.workflows.tiny import Workshop


def test_the_exponential_rate_loses_the_same_share_at_every_step() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    schedule = exponential(optimizer, warmup=2, steps=12)
    rates = []
    for _ in range(13):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates[:3] == [0.0, 1.0, 2.0]
    assert rates[12] == pytest.approx(0.02)
    shares = [after / before for before, after in pairwise(rates[2:])]
    assert shares == pytest.approx([0.01**0.1] * 10)


def test_the_rates_of_both_groups_of_loraplus_follow_one_schedule() -> None:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in (1.0, 8.0)]
    optimizer = torch.optim.SGD(groups, lr=1.0)
    schedule = exponential(optimizer, warmup=1, steps=5)
    for _ in range(6):
        assert optimizer.param_groups[1]["lr"] == 8 * optimizer.param_groups[0]["lr"]
        optimizer.step()
        schedule.step()


@pytest.mark.parametrize(
    ("schedule", "settings", "expected"),
    [
        ("exponential", {}, [1e-2 * 0.01 ** (step / 4) for step in range(4)]),
        ("cosine_with_restarts", {"num_cycles": 2}, [1e-2, 5e-3, 1e-2, 5e-3]),
        ("polynomial", {"power": 2.0}, [1e-7 + (1e-2 - 1e-7) * (1 - step / 4) ** 2 for step in range(4)]),
        ("linear", {}, [1e-2, 7.5e-3, 5e-3, 2.5e-3]),
        ("cosine", {}, [1e-2 * (1 + math.cos(math.pi * step / 4)) / 2 for step in range(4)]),
        ("constant", {}, [1e-2] * 4),
        ("constant_with_warmup", {}, [1e-2] * 4),
        ("inverse_sqrt", {"timescale": 1}, [1e-2 / math.sqrt(step + 1) for step in range(4)]),
    ],
)
def test_a_training_follows_it(
    tiny_base_dir: Path, tmp_path: Path, schedule: str, settings: dict[str, float], expected: list[float]
) -> None:
    config = Workshop(tiny_base_dir, tmp_path).config(
        "one", max_steps=4, epochs=9, lr_scheduler=schedule, lr_scheduler_kwargs=ScheduleConfig(**settings)
    )
    config.trainer.warmup_ratio = 0.0
    train(config)
    lines = (Path(config.output_dir) / "metrics_history.jsonl").read_text().splitlines()
    rates = [entry["learning_rate"] for entry in map(json.loads, lines) if "learning_rate" in entry]
    assert rates == pytest.approx(expected, rel=1e-6)
