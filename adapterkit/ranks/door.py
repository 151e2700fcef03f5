"""How a door opens for several ranks: each runs the job, rank 0 speaks for all, and all leave with one exit code."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

from adapterkit.config.outcome import EXPECTED, INTERRUPTED, exit_code, message_of
from adapterkit.config.schema import TrainConfig
from adapterkit.errors import UsageError
from adapterkit.ranks.failure import Failure
from adapterkit.ranks.group import Ranks, RankStoppedError
from adapterkit.ranks.joined import here, join, leave
from adapterkit.ranks.launch import launched

# Hydra makes a directory and a log for each process, by its own clock; the others take rank 0's.
_FOLLOWER = ("hydra.run.dir=.", "hydra.output_subdir=null", "hydra/job_logging=none", "hydra/hydra_logging=none")

_EXPLAINED = (*EXPECTED, KeyboardInterrupt)


def on_every_rank(job: Callable[[], Any]) -> Callable[[], None]:
    """A Hydra job that runs on all ranks of a launch; the job itself, where there is no launch."""

    def run() -> None:
        launch = launched()
        if launch is None:
            job()
            return
        if {"-m", "--multirun"} & set(sys.argv[1:]):
            raise UsageError("A sweep runs in one process: start each of its jobs on several devices by itself.")
        ranks = join(launch)
        if not ranks.leads:
            sys.argv += _FOLLOWER
        together(ranks, job)
        # Not after an error: where a rank is gone, closing may wait for it.
        leave()

    return run


def agreed(config: TrainConfig) -> TrainConfig:
    """The config with rank 0's run directory, which is named after the time."""
    config.output_dir = here().from_first("the run directory", lambda: config.output_dir)
    return config


def together(ranks: Ranks, job: Callable[[], Any]) -> None:
    """Run a job that all ranks run, to its end on all of them.

    Raises:
        BaseException: this rank's own error, where it is the one to tell it.
        RankStoppedError: another rank's, on rank 0.
        SystemExit: the others leave without a word.
    """
    try:
        job()
        ranks.meet("the end")
    except RankStoppedError as stopped:
        if ranks.leads or not stopped.failures:
            raise
        ranks.outlast_first()
        sys.exit(stopped.exit_code)
    except BaseException as error:
        try:
            failures = ranks.fail(_failure(ranks, error))
        except RankStoppedError:
            # Nobody is there to be told.
            raise error from None
        first = failures[0]
        own = next(each for each in failures if each.number == ranks.number)
        if ranks.leads:
            raise
        if first.number == ranks.number or first.message != own.message:
            logging.getLogger(__name__).error("%s", own.message, exc_info=not isinstance(error, _EXPLAINED))
        ranks.outlast_first()
        sys.exit(own.code)


def _failure(ranks: Ranks, error: BaseException) -> Failure:
    if isinstance(error, KeyboardInterrupt):
        return Failure(ranks.number, INTERRUPTED, str(error) or "interrupted")
    if not isinstance(error, EXPECTED):
        return Failure(ranks.number, 1, repr(error))
    return Failure(ranks.number, exit_code(error), message_of(error))
