"""Steps, batches and time, as they are foreseen; the clock is handed in."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from adapterkit.config.schema import TrainerConfig
from adapterkit.data.template import EncodedRow
from adapterkit.training.estimate import Pace, RemainingTime, Work, paced, work_of


def rows(*lengths: int) -> list[EncodedRow]:
    """Rows of these lengths whose last half is learned."""
    return [
        EncodedRow(tuple(range(n)), tuple(-100 if place < n // 2 else place for place in range(n))) for n in lengths
    ]


def trainer(**settings: Any) -> TrainerConfig:
    return TrainerConfig(**{"epochs": 2, "learning_rate": 1e-3, "batch_size": 2, **settings})


def test_work_is_counted_step_by_step() -> None:
    work = work_of(rows(4, 8, 6, 10, 12), rows(20), rows(6, 30, 8), trainer(logging_steps=2), seed=3)
    assert (work.steps, work.tokens, work.evaluations(), work.saves()) == (6, 80, 2, 2)
    assert (work.evaluations(3), work.evaluations(5), work.saves(6)) == (1, 1, 0)
    assert work.step_tokens[0] == 22  # the longest rows come first
    assert (work.largest.rows, work.largest.width, work.largest.tokens) == (2, 12, 22)
    assert (work.validation_tokens, work.test_tokens, work.label_share) == (20, 44, 0.5)
    assert work.largest_evaluated is not None
    # The batches are 6 and 8 tokens, then 30: labels at 15 places of one row, or at 5 places of two.
    assert (work.largest_evaluated.rows, work.largest_evaluated.kept) == (1, 15)


def test_accumulation_and_max_steps() -> None:
    work = work_of(rows(*range(4, 14)), [], [], trainer(gradient_accumulation_steps=2, max_steps=5), seed=0)
    assert work.steps == 5
    assert work.step_tokens[2] < work.step_tokens[0]  # the third step of an epoch of five batches has one batch
    assert (work.evaluations(), work.largest_evaluated) == (0, None)


WORK = Work(9, 300, (100,) * 40, 0.5, work_of(rows(4), [], [], trainer(), seed=0).largest, 10, 500, 1000, None, 100, 0)


class Clock:
    """Goes on as far as it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def steps(callback: RemainingTime, clock: Clock, seconds: list[float], start: int = 0) -> None:
    state = SimpleNamespace(global_step=start)
    callback.on_train_begin(None, state, None)
    for each in seconds:
        callback.on_step_begin(None, state, None)
        clock.now += each
        state.global_step += 1
        callback.on_step_end(None, state, None)


def test_after_ten_steps_the_rest_is_told(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    callback = RemainingTime(WORK, compiled=False, clock=clock)
    clock.now = 5.0
    with caplog.at_level(logging.INFO):
        steps(callback, clock, [30.0, *[2.0] * 20])
    # 30 steps at 2 s; 3 of 4 evaluations and the test, twice, at 0.4 of a trained token's 0.02 s; one checkpoint.
    left = 60 + 3 * 500 * 0.008 + 2 * 1000 * 0.008 + 0.6
    assert callback.predicted == pytest.approx(5 + 30 + 18 + left)
    assert caplog.messages == ["After 10 steps: about 2 min 22 s in all, of which 1 min 29 s are left"]


def test_a_resumed_training_is_timed_from_where_it_goes_on() -> None:
    clock = Clock()
    callback = RemainingTime(WORK, compiled=False, clock=clock)
    steps(callback, clock, [2.0] * 10, start=20)
    assert callback.predicted == pytest.approx(20 + 20 + 500 * 0.008 + 2 * 1000 * 0.008 + 0.6)


def test_a_training_of_ten_steps_is_told_nothing(caplog: pytest.LogCaptureFixture) -> None:
    short = Work(9, 300, (100,) * 10, 0.5, WORK.largest, 10, 0, 0, None, 10, 0)
    clock = Clock()
    callback = RemainingTime(short, compiled=True, clock=clock)
    steps(callback, clock, [2.0] * 10)
    assert callback.predicted is None


def test_pace_leaves_out_the_first_step_of_several() -> None:
    assert paced([10, 10, 30], [9.0, 1.0, 3.0], compiled=True).token == pytest.approx(0.1)
    assert paced([10], [1.0], compiled=True).token == pytest.approx(0.1)


def test_a_pace_gives_the_parts_their_time() -> None:
    pace = Pace(token=0.01, evaluated=0.004, save=0.0)
    assert pace.training(WORK) == pytest.approx(40 + 4 * 500 * 0.004)
    assert pace.training(WORK, done=40) == 0.0
    assert pace.test(WORK) == pytest.approx(8.0)


def test_an_evaluation_costs_more_than_a_step_only_where_steps_are_compiled() -> None:
    """In float32 PyTorch's own operations train, about as fast as they evaluate."""
    assert paced([10, 10], [1.0, 1.0], compiled=True).evaluated == pytest.approx(0.14)
    assert paced([10, 10], [1.0, 1.0], compiled=False).evaluated == pytest.approx(0.04)
