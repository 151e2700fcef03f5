"""A tracker that may fail at any moment, while training goes on: told once, offered again, told at the end."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from adapterkit.config.redaction import redact_text
from adapterkit.texts import counted, excerpt, first_line_of
from adapterkit.training.tracking.tracker import Outcome, Publication, RunSheet, Tracker

_log = logging.getLogger(__name__)

# A tracker that hangs costs its own time limit at each attempt, so the attempts become rarer.
_FIRST_PAUSE, _LONGEST_PAUSE = 30.0, 600.0
# At the end everything is offered once more; after so many refusals in a row nobody is listening.
_REFUSALS = 2


class Steadfast:
    """Hands one tracker everything in order; what it does not take waits, and no failure of it gets through.

    Args:
        tracker: the tracker.
        clock: seconds, from anywhere.
    """

    def __init__(self, tracker: Tracker, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._tracker, self._clock = tracker, clock
        self._waiting: deque[Callable[[], None]] = deque()
        self._pause, self._not_before = _FIRST_PAUSE, 0.0
        self._failure: Exception | None = None

    @property
    def key(self) -> str:
        """The tracker's key in `tracking.json`."""
        return self._tracker.key

    def start(self, sheet: RunSheet, known: Mapping[str, str]) -> Mapping[str, str]:
        """Open the run; the one thing that may fail, since nothing was trained yet.

        Raises:
            TrackingError: the tracker cannot be reached, or refuses.
        """
        return self._tracker.start(sheet, known)

    def log(self, metrics: Mapping[str, float], *, step: int) -> None:
        """Offer metrics of one step, and whatever waits."""
        self._waiting.append(partial(self._tracker.log, metrics, step=step, at=time.time()))
        if self._clock() >= self._not_before:
            self._deliver()

    def publish(self, publication: Publication) -> None:
        """Offer the artifact, and whatever waits."""
        self._waiting.append(partial(self._tracker.publish, publication))
        self._deliver()

    def end(self, outcome: Outcome, history: Path) -> None:
        """Offer whatever waits once more, close the run, and say what was lost.

        Args:
            outcome: how the training ended.
            history: where all metrics are kept in any case.
        """
        lost = self._offer_once_more()
        try:
            self._tracker.end(outcome)
            open_still = ""
        except Exception as error:
            self._failure = self._failure or error
            open_still = " Its run there is not closed."
        if self._failure is None:
            return
        if lost or open_still:
            _log.warning(
                "%s did not take %s of this training (%s).%s All metrics are in %s",
                self._tracker.label, counted(lost, "message"), _told(self._failure), open_still, history,
            )  # fmt: skip
        else:
            _log.info("%s had failed, and has everything now.", self._tracker.label)

    def _deliver(self) -> None:
        while self._waiting:
            try:
                self._waiting[0]()
            except Exception as error:
                self._failed(error)
                return
            self._waiting.popleft()
        self._pause, self._not_before = _FIRST_PAUSE, 0.0

    def _failed(self, error: Exception) -> None:
        if self._failure is None:
            _log.warning(
                "%s fails (%s). Training goes on; what it misses is offered again now and then, and at the end.",
                self._tracker.label, _told(error),
            )  # fmt: skip
        self._failure = error
        self._not_before = self._clock() + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def _offer_once_more(self) -> int:
        """How many messages were not taken, the last time that they were offered."""
        lost, refusals = 0, 0
        while self._waiting and refusals < _REFUSALS:
            try:
                self._waiting.popleft()()
                refusals = 0
            except Exception as error:
                self._failure = error
                lost, refusals = lost + 1, refusals + 1
        return lost + len(self._waiting)


def _told(error: Exception) -> str:
    """One line without the secrets that an address may hold."""
    return excerpt(redact_text(f"{type(error).__name__}: {first_line_of(error)}"), 200).strip("'\"")
