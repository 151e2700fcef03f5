"""A tracker that fails now and then: everything in order, one warning, and an account of what was lost."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from adapterkit.training.tracking.steadfast import Steadfast
from adapterkit.training.tracking.tracker import Outcome, Publication, RunSheet

HISTORY = Path("run/metrics_history.jsonl")


class Flaky:
    """Keeps what it is told, while it answers."""

    key, label = "flaky", "Flaky"

    def __init__(self) -> None:
        self.answers = True
        self.asked = 0
        self.kept: list[object] = []

    def _keep(self, what: object) -> None:
        self.asked += 1
        if not self.answers:
            raise ConnectionError("refused by http://me:HUNTER1TWO@host")
        self.kept.append(what)

    def start(self, sheet: RunSheet, known: Mapping[str, str]) -> Mapping[str, str]:
        return known

    def log(self, metrics: Mapping[str, float], *, step: int, at: float) -> None:
        self._keep(step)

    def publish(self, publication: Publication) -> None:
        self._keep(publication.name)

    def end(self, outcome: Outcome) -> None:
        self._keep(outcome)


def test_what_was_missed_is_kept_in_order_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    tracker = Flaky()
    steadfast = Steadfast(tracker, clock=lambda: now[0])
    steadfast.log({"loss": 1.0}, step=1)
    tracker.answers = False
    for step in (2, 3, 4):
        steadfast.log({"loss": 1.0}, step=step)
    assert tracker.asked == 2  # while it rests, nobody waits for it
    now[0] = 31.0
    steadfast.log({"loss": 1.0}, step=5)
    tracker.answers = True
    now[0] = 60.0
    steadfast.log({"loss": 1.0}, step=6)
    assert tracker.kept == [1]
    now[0] = 31.0 + 61.0
    steadfast.log({"loss": 1.0}, step=7)
    steadfast.publish(Publication("x", "1.0.0", Path()))
    steadfast.end(Outcome.FINISHED, HISTORY)
    assert tracker.kept == [1, 2, 3, 4, 5, 6, 7, "x", Outcome.FINISHED]
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warned) == 1
    assert "HUNTER1TWO" not in warned[0]


def test_what_is_lost_is_counted_and_said_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    tracker = Flaky()
    tracker.answers = False
    steadfast = Steadfast(tracker)
    for step in range(5):
        steadfast.log({"loss": 1.0}, step=step)
    steadfast.end(Outcome.INTERRUPTED, HISTORY)
    assert tracker.asked == 1 + 2 + 1  # once, twice more at the end, and to close the run
    first, last = (record.getMessage() for record in caplog.records if record.levelname == "WARNING")
    assert first.startswith("Flaky fails (ConnectionError: refused by")
    assert last.startswith("Flaky did not take 5 messages of this training")
    assert "not closed" in last
    assert str(HISTORY) in last


def test_one_refused_message_does_not_hold_up_the_others(caplog: pytest.LogCaptureFixture) -> None:
    class Picky(Flaky):
        def log(self, metrics: Mapping[str, float], *, step: int, at: float) -> None:
            self.answers = step != 2
            super().log(metrics, step=step, at=at)

    tracker = Picky()
    steadfast = Steadfast(tracker)
    for step in (1, 2, 3):
        steadfast.log({"loss": 1.0}, step=step)
    steadfast.end(Outcome.FINISHED, HISTORY)
    assert tracker.kept == [1, 3, Outcome.FINISHED]
    assert "did not take 1 message of" in caplog.records[-1].getMessage()
