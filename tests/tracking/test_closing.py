"""When a run is opened and how it is closed; SIGTERM outside of training would by default leave it open."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from adapterkit.config.schema import TrackingConfig, TrainConfig
from adapterkit.errors import TrainingError
from adapterkit.training.tracking import tracking as module
from adapterkit.training.tracking.tracker import Outcome, Publication, RunSheet
from adapterkit.training.tracking.tracking import Tracking
from adapterkit.workflows import reproduce as reproduction
from adapterkit.workflows.train import train
from tests.workflows.tiny import Workshop


class Witness:
    """Keeps how a run was ended."""

    key, label = "witness", "Witness"

    def __init__(self) -> None:
        self.ended: list[Outcome] = []

    def start(self, sheet: RunSheet, known: Mapping[str, str]) -> Mapping[str, str]:
        return {"run_id": "1"}

    def log(self, metrics: Mapping[str, float], *, step: int, at: float) -> None:
        """Nobody asks."""

    def publish(self, publication: Publication) -> None:
        """Nobody asks."""

    def end(self, outcome: Outcome) -> None:
        self.ended.append(outcome)


@pytest.fixture
def witness(monkeypatch: pytest.MonkeyPatch) -> Witness:
    made = Witness()
    monkeypatch.setattr(module, "trackers_of", lambda *_: [made])
    return made


def test_a_run_that_is_terminated_while_the_base_is_loaded_is_closed(
    shop: Workshop, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "adapterkit.workflows.train.resident_base", lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM)
    )
    with pytest.raises(KeyboardInterrupt, match="SIGTERM"):
        train(shop.config("x"))
    assert witness.ended == [Outcome.INTERRUPTED]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_training_that_is_up_to_date_opens_no_run(shop: Workshop, witness: Witness) -> None:
    train(shop.config("x"))
    assert not train(shop.config("x")).trained
    assert witness.ended == [Outcome.FINISHED]


def test_a_reproduction_is_tracked_by_nobody(shop: Workshop, witness: Witness, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(config: TrainConfig, *_: object) -> None:
        assert config.tracking == TrackingConfig(tensorboard=False)
        raise TrainingError("as it should be")

    config = shop.config("x")
    config.tracking = TrackingConfig(wandb=True, mlflow=True)
    train(config)
    monkeypatch.setattr(reproduction, "_train_in_a_process", refuse)
    with pytest.raises(TrainingError, match="as it should be"):
        reproduction.reproduce(shop.registry, "x")


def test_without_trackers_signals_are_left_alone(tmp_path: Path) -> None:
    sheet = RunSheet("x", "", (), {}, {}, tmp_path)
    with Tracking(TrackingConfig(), "x") as tracking:
        tracking.start(sheet, history=tmp_path, resumed=None)
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("written", ["", "{", "[]", '{"wandb": 3}'])
def test_what_cannot_be_read_of_an_earlier_run_is_begun_anew(tmp_path: Path, written: str) -> None:
    (tmp_path / module.TRACKING_FILE).write_text(written)
    assert module._known(tmp_path) == {}
