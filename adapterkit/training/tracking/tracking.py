"""One training as its trackers see it: opened once, logged, given the artifact, and closed whatever happens."""

from __future__ import annotations

import json
import logging
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from transformers import TrainerCallback

from adapterkit.config.schema import TrackingConfig
from adapterkit.stores import write_file
from adapterkit.training.tracking.chosen import trackers_of
from adapterkit.training.tracking.steadfast import Steadfast
from adapterkit.training.tracking.tracker import Outcome, Publication, RunSheet, metrics_of

_log = logging.getLogger(__name__)

# Which runs of which trackers a run directory belongs to: a resumed training goes on with them.
TRACKING_FILE = "tracking.json"
SILENT = TrackingConfig(tensorboard=False)


class Tracking(TrainerCallback):
    """All trackers of one training. Use it in a `with`; until `start` nobody is called.

    Args:
        config: the tracking settings.
        name: of the adapter.

    Raises:
        MissingExtraError: a package is not installed.
        UsageError: a setting is missing, or cannot be meant.
    """

    def __init__(self, config: TrackingConfig, name: str) -> None:
        self._chosen = [Steadfast(tracker) for tracker in trackers_of(config, name)]
        self._open: list[Steadfast] = []
        self._history = Path()
        self._signals = ExitStack()

    def __enter__(self) -> Tracking:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """Close every run as finished, failed or interrupted."""
        outcome = Outcome.FINISHED if kind is None else Outcome.FAILED
        if kind is not None and not issubclass(kind, Exception):
            outcome = Outcome.INTERRUPTED
        for tracker in self._open:
            tracker.end(outcome, self._history)
        self._open = []
        self._signals.close()

    def start(self, sheet: RunSheet, *, history: Path, resumed: Path | None) -> None:
        """Open the runs, or go on with those of the training that is resumed.

        Args:
            sheet: what they are told.
            history: where all metrics are kept in any case.
            resumed: the run directory whose checkpoint the training goes on from.

        Raises:
            TrackingError: a tracker cannot be reached, or refuses.
        """
        if not self._chosen:
            return
        self._history = history
        known, names = _known(resumed), {}
        self._signals.enter_context(_sigterm_unwinds())
        for tracker in self._chosen:
            names[tracker.key] = dict(tracker.start(sheet, known.get(tracker.key, {})))
            self._open.append(tracker)
            write_file(sheet.directory / TRACKING_FILE, (json.dumps(names, indent=2) + "\n").encode("utf-8"))

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any) -> None:
        """Hand on what the Trainer logs."""
        self.log(metrics_of(logs or {}), step=state.global_step)

    def log(self, metrics: Mapping[str, float], *, step: int) -> None:
        """Hand metrics of one optimizer step to every tracker."""
        for tracker in self._open:
            tracker.log(metrics, step=step)

    def publish(self, publication: Publication) -> None:
        """Hand the published artifact to every tracker."""
        for tracker in self._open:
            tracker.publish(publication)


def _known(run: Path | None) -> Mapping[str, Mapping[str, str]]:
    """What names the runs of an earlier part of the same training; nothing where that was not tracked."""
    if run is None:
        return {}
    try:
        plain = json.loads((run / TRACKING_FILE).read_text("utf-8"))
        return {key: {word: str(value) for word, value in entry.items()} for key, entry in plain.items()}
    except (OSError, ValueError, AttributeError):
        return {}


@contextmanager
def _sigterm_unwinds() -> Iterator[None]:
    """Let SIGTERM leave through every `with`, as Ctrl-C does; by default it ends the process with its runs open."""

    def leave(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt("asked to stop by SIGTERM")

    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
