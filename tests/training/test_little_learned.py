"""A training that learned nothing, or nothing after its first step, says so."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from adapterkit.workflows.train import train
from tests.workflows.tiny import Workshop

EVERY_STEP = {"max_steps": 3, "eval_steps": 1, "test": None, "warmup_ratio": 0.0}


def warned(shared: Workshop, caplog: pytest.LogCaptureFixture, name: str, **changes: Any) -> list[str]:
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger="adapterkit.training.best"):
        train(shared.config(name, **{**EVERY_STEP, **changes}))
    return [record.getMessage() for record in caplog.records if record.name == "adapterkit.training.best"]


def test_the_first_step_kept_as_the_best_is_told(shared: Workshop, caplog: pytest.LogCaptureFixture) -> None:
    """A rate that is far too high makes every step after the first one worse."""
    validated = {"validation": str(shared.held_out)}
    (said,) = warned(shared, caplog, "first", learning_rate=5.0, **validated)
    assert "those of step 1" in said
    assert "the 2 steps after it" in said
    assert "Lower trainer.learning_rate" in said
    assert warned(shared, caplog, "last", learning_rate=5.0, keep_best=False, **validated) == []
    assert warned(shared, caplog, "good", learning_rate=1e-3, **validated) == []


def test_the_untrained_start_kept_as_the_best_is_told(shared: Workshop, caplog: pytest.LogCaptureFixture) -> None:
    """The first step of a warm-up has the rate 0."""
    changes = {"learning_rate": 5.0, "warmup_ratio": 0.9, "max_steps": 3, "validation": str(shared.held_out)}
    (said,) = warned(shared, caplog, "untrained", **changes)
    assert said.startswith("This adapter changes nothing: the weights kept are those of step 1")
    assert "trainer.keep_best=false" in said


def test_no_learning_at_all_is_told(shared: Workshop, caplog: pytest.LogCaptureFixture) -> None:
    (said,) = warned(shared, caplog, "nothing", learning_rate=0.0)
    assert said.startswith("This adapter changes nothing: its weights are those it started from")


def test_the_only_step_is_no_early_one(shared: Workshop, caplog: pytest.LogCaptureFixture) -> None:
    assert warned(shared, caplog, "short", max_steps=1, validation=str(shared.held_out)) == []
