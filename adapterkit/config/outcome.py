"""How a Hydra door ends: one clear message and an exit code, never a traceback for what a user can cause."""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from typing import Any, NoReturn, TextIO, cast

import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf.errors import OmegaConfBaseException

from adapterkit.config.meant import advised, meant_by
from adapterkit.config.nobody_reads import NOBODY_READS, nobody_reads, write_to_nobody
from adapterkit.config.stopping import stoppable
from adapterkit.errors import AdapterKitError, UsageError

INTERRUPTED = 75
EXPECTED = (AdapterKitError, HydraException, OmegaConfBaseException, OSError, yaml.YAMLError, UnicodeDecodeError)
_RESUMED = "the same command with resume=auto goes on from the last checkpoint"
_REFUSED = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOSPC, errno.EDQUOT,
}  # fmt: skip
_log = logging.getLogger(__name__)


def nothing_said() -> NoReturn:
    """Refuse a training without a word: it would be one that nobody asked for, and take hours.

    Raises:
        UsageError: always.
    """
    raise UsageError(
        "Say what to train: adapterkit train +recipe=NAME, such as +recipe=unified, or the keys of a training of your "
        "own. The recipes, and every key: adapterkit train --help"
    )


def run_door(job: Callable[[], Any], *, goes_on: str | None = None) -> None:
    """Run a Hydra job and leave with its exit code.

    0 fine, 1 failed, 2 wrong usage, 75 interrupted (EX_TEMPFAIL), 141 where nobody reads standard output any more.
    `ADAPTERKIT_DEBUG=1` lets the traceback through.

    Args:
        job: the job.
        goes_on: what to tell whoever interrupted it, by SIGTERM too; null for a training, which listens to that itself.
    """
    # Only so does Hydra hand exceptions on; otherwise it prints a traceback of its own and exits.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        with redirect_stderr(cast(TextIO, _WithoutWords(sys.stderr))):
            (job if goes_on is None else stoppable(job))()
    except EXPECTED as error:
        _leave(error)
    except ValueError as error:
        # So logging tells of the log file that Hydra opens in the folder of the run.
        if not (str(error).startswith("Unable to configure handler") and isinstance(error.__cause__, OSError)):
            raise
        _leave(error.__cause__)
    except KeyboardInterrupt as error:
        told = f"interrupted: {error}" if str(error) else "interrupted"
        print(f"{told}; {goes_on or _RESUMED}", file=sys.stderr)
        sys.exit(INTERRUPTED)


def _leave(error: Exception) -> NoReturn:
    """Say what went wrong, and leave.

    Raises:
        SystemExit: always, but under `ADAPTERKIT_DEBUG=1`, which lets the error itself through.
    """
    if os.environ.get("ADAPTERKIT_DEBUG"):
        raise error
    logging.shutdown()
    if isinstance(error, BrokenPipeError) and nobody_reads():
        write_to_nobody()
        sys.exit(NOBODY_READS)
    print(f"error: {message_of(error)}", file=sys.stderr)
    sys.exit(exit_code(error))


class _WithoutWords:
    """A stream whose writer, Hydra, repeats the words of a failed command before our message, passwords included."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return len(text) if text.startswith("Error executing job with overrides") else self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def told_in_sweeps() -> Iterator[None]:
    """Say why a job of a sweep fails when it does: at the end, Hydra hands on the first failure only."""
    try:
        yield
    except EXPECTED as error:
        hydra = HydraConfig.get()
        if hydra.mode == RunMode.MULTIRUN:
            _log.error("Job %s failed: %s", hydra.job.num, message_of(error))
        raise


@contextmanager
def as_usage_error() -> Iterator[None]:
    """Say what cannot be composed as an error of our own family, for whoever calls from Python.

    Raises:
        UsageError: Hydra or OmegaConf raised theirs.
    """
    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        raise UsageError(message_of(error)) from error


def exit_code(error: Exception) -> int:
    """What a door leaves with for this error: 2 for wrong usage, else 1."""
    if isinstance(error, AdapterKitError):
        return error.exit_code
    # Hydra's error for a recipe or a group's file that is not there is an OSError too.
    return 1 if isinstance(error, OSError) and not isinstance(error, HydraException) else 2


def message_of(error: Exception) -> str:
    """The error's text; Hydra's come with the cause behind them, which names the key, and what may have been meant."""
    if isinstance(error, OSError) and not isinstance(error, HydraException):
        return _told_by_the_disk(error)
    texts = [str(error).strip()]
    meant = meant_by(error)
    cause = error.__cause__
    while cause is not None and not isinstance(error, AdapterKitError):
        if str(cause).strip() and str(cause).strip() not in texts[0]:
            texts.append(str(cause).strip())
        meant = meant or meant_by(cause)
        cause = cause.__cause__
    # Where Hydra looked is no help to somebody who misspelt a name; the options that it lists before are.
    said = "\n".join(texts).partition("\nConfig search path:")[0]
    lines = [line for line in map(advised, said.splitlines()) if line]
    lines += [f"Did you mean {', '.join(meant)}?"] if meant else []
    return "\n".join(lines).replace("\t", "  ").strip()


def _told_by_the_disk(error: OSError) -> str:
    """Whatever else a door opens says by itself what is wrong with it: what is left lies in the folder of the run."""
    if not error.filename or not error.strerror:
        return str(error).strip() or type(error).__name__
    way_out = (
        " If that is the folder of this run, name another: hydra.run.dir=FOLDER" if error.errno in _REFUSED else ""
    )
    return f"{error.filename}: {error.strerror}.{way_out}"
