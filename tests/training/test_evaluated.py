"""An evaluation that gives no number, or is interrupted, or that a patience waits for in vain."""

from __future__ import annotations

import dataclasses
import logging
import os
import signal
from pathlib import Path

import pytest

from adapterkit.digest import sha256_file
from adapterkit.errors import TrainingError, UsageError
from adapterkit.evaluation.loss import RowLoss
from adapterkit.training.finite import require_finite_losses
from adapterkit.training.interruption import TrainingInterrupted
from adapterkit.training.trainer import AdapterTrainer
from adapterkit.workflows.estimating import estimate
from adapterkit.workflows.train import train
from tests.training.conftest import WEIGHTS


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_held_out_loss_that_is_no_number_publishes_nothing(shared, split):
    """The one step is taken before any loss could tell."""
    splits = {"validation": None, "test": None, split: str(shared.held_out)}
    config = shared.config("far", max_steps=1, learning_rate=1e37, warmup_ratio=0.0, **splits)
    with pytest.raises(TrainingError, match=rf"After step 1 the {split} loss is NaN or infinite for \d rows? of 3: \d"):
        train(config)
    assert shared.published("far") == []


def test_rows_without_a_loss_are_named():
    losses = [RowLoss(1.0, 2), RowLoss(float("nan"), 2), RowLoss(float("inf"), 2), RowLoss(0.0, 1)]
    with pytest.raises(TrainingError, match=r"for 2 rows of 4: 1, 2, from 0 on") as caught:
        require_finite_losses(losses, "test", 7)
    assert caught.value.step == 7
    require_finite_losses(losses[:1], "test", 7)


def test_a_signal_in_an_evaluation_stops_after_it_and_the_rest_is_the_same(shared, monkeypatch):
    changes = {"max_steps": 4, "epochs": 9, "eval_steps": 2, "validation": str(shared.held_out), "force": True}
    whole = shared.config("stopped", **changes)
    train(whole)
    plain, looks = AdapterTrainer._losses_of, []

    def losses_of(self, rows):
        looks.append(self.state.global_step)
        if len(looks) == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return plain(self, rows)

    monkeypatch.setattr(AdapterTrainer, "_losses_of", losses_of)
    config = shared.config("stopped", **changes)
    with pytest.raises(TrainingInterrupted, match="stopped after step 2"):
        train(config)
    resumed = str(Path(config.output_dir).parent / "resumed")
    again = dataclasses.replace(config, resume=str(Path(config.output_dir) / "checkpoint-2"), output_dir=resumed)
    train(again)
    assert looks == [2, 4]
    first, second = (Path(each.output_dir) / "adapter" / WEIGHTS for each in (whole, again))
    assert sha256_file(first) == sha256_file(second)


@pytest.mark.parametrize("look", [train, estimate])
def test_a_patience_without_validation_is_refused(shared, look):
    config = shared.config("patient", early_stopping_patience=2)
    with pytest.raises(UsageError, match=r"trainer\.early_stopping_patience=2 .* no validation"):
        look(config)


@pytest.mark.parametrize("changes", [{"max_steps": -1, "epochs": 1e9}, {"max_steps": 10**9}])
def test_a_training_without_an_end_is_refused(shared, changes):
    with pytest.raises(UsageError, match="000,000 optimizer steps on 4 rows"):
        estimate(shared.config("endless", **changes))


def test_going_on_in_another_environment_is_told(shared, monkeypatch, caplog):
    changes = {"max_steps": 4, "epochs": 9, "save_steps": 2, "force": True}
    config = shared.config("moved", **changes)
    train(config)
    checkpoint = str(Path(config.output_dir) / "checkpoint-2")
    again = shared.config("moved", **changes, resume=checkpoint)
    with caplog.at_level(logging.WARNING, logger="adapterkit.training.checkpoint"):
        train(again)
        assert caplog.messages == []
        monkeypatch.setattr("adapterkit.training.fit.device_name", lambda _: "another processor")
        train(shared.config("moved", **changes, resume=checkpoint))
    (said,) = caplog.messages
    assert "in another environment: device was " in said
    assert "and is another processor. What comes out is not to the last bit" in said
