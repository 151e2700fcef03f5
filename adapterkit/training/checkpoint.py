"""Checkpoints: whole or not there, proven by digest, ordered by step.

A checkpoint is built in a staging folder and renamed to `checkpoint-N` once everything in it is on the disk. Its
`checkpoint.json` lists every file with its sha256. Transformers writes one file after the other in place, resumes from
what is there, and removes the oldest by the clock.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapterkit.config.flat import flat
from adapterkit.digest import sha256_file
from adapterkit.errors import AdapterKitError, TrainingError
from adapterkit.stores import move_into_place, read_file, write_file
from adapterkit.texts import counted, listed

_log = logging.getLogger(__name__)

CHECKPOINT_FILE = "checkpoint.json"
PREFIX = "checkpoint-"
_SCHEMA = 1
_MAX_BYTES = 1_000_000
# Without one of these a training would go on with other weights or other random numbers, and without a word.
_NEEDED = ("adapter_model.safetensors", "optimizer.pt", "scheduler.pt", "trainer_state.json")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that verified: where it is, after which optimizer step it was taken, and of which run key."""

    path: Path
    step: int
    run_key: str


def rng_file(rank: int | None) -> str:
    """Where transformers keeps the state of random numbers: one of several ranks, or null for a training of one."""
    return "rng_state.pth" if rank is None else f"rng_state_{rank}.pth"


def require_ranks(checkpoint: Path, count: int) -> None:
    """Demand that so many ranks took a checkpoint: with others, dropout would draw other numbers.

    Raises:
        TrainingError: it was taken by more, or by fewer.
    """
    taken_by = max(1, sum(1 for _ in checkpoint.glob("rng_state_*.pth")))
    if taken_by != count:
        raise TrainingError(
            f"The checkpoint {checkpoint} was taken by {counted(taken_by, 'rank')}, and {count} would go on with it: "
            f"other weights would come out. Start {taken_by}, or begin anew with resume=never."
        )


def warn_of_other_environment(checkpoint: Path, here: Mapping[str, Any]) -> None:
    """Say so where a training goes on elsewhere than it began: sums are rounded otherwise, and other bits come out.

    Args:
        checkpoint: one that verified; of an earlier adapterkit it does not say where it was taken.
        here: what numbers depend on besides the config.
    """
    there = json.loads(read_file(checkpoint / CHECKPOINT_FILE, limit=_MAX_BYTES)).get("environment", {})
    was, now = dict(flat(there)), dict(flat(here))
    differing = [f"{key} was {was[key]}, and is {now.get(key)}" for key in was if was[key] != now.get(key)]
    if differing:
        _log.warning(
            "The training goes on from %s in another environment: %s. What comes out is not to the last bit what the "
            "training would have given where it began.", checkpoint, "; ".join(differing),
        )  # fmt: skip


def seal(staged: Path, target: Path, *, run_key: str, step: int, where: Mapping[str, Any]) -> None:
    """List what a staged folder holds, flush it, and put it in its place; what stood there before is removed.

    Args:
        staged: a folder of everything.
        target: its place.
        run_key: of the training.
        step: the last that was taken.
        where: what its numbers depend on besides: versions, threads, processor.

    Raises:
        RegistryError: the disk refuses; a checkpoint that stood there may be gone, all others stand.
    """
    files = {path.name: _flushed_digest(path) for path in sorted(staged.iterdir())}
    plain = {"schema_version": _SCHEMA, "run_key": run_key, "step": step, "environment": dict(where), "files": files}
    write_file(staged / CHECKPOINT_FILE, (json.dumps(plain, indent=2) + "\n").encode("utf-8"))
    if os.path.lexists(target):
        shutil.rmtree(target)
    if not move_into_place(staged, target):
        raise TrainingError(f"{target} was made by somebody else at the same moment.", step=step)


def read_checkpoint(path: Path) -> Checkpoint:
    """Verify every byte of a checkpoint.

    Raises:
        TrainingError: it is incomplete or damaged; every problem is listed.
    """
    try:
        plain = json.loads(read_file(path / CHECKPOINT_FILE, limit=_MAX_BYTES))
        problems = [*_problems(path, plain)]
    except (AdapterKitError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        problems = [f"{CHECKPOINT_FILE}: {error}"]
    if problems:
        raise TrainingError(
            f"The checkpoint {path} is incomplete or damaged.{listed(problems)}\nUse an earlier one, or resume=auto, "
            "which takes the newest that is whole."
        )
    return Checkpoint(path, plain["step"], plain["run_key"])


def checkpoints_in(run: Path) -> list[Path]:
    """The folders of a run that are named after a step, by step; the clock does not matter."""
    found = [path for path in run.glob(f"{PREFIX}*") if path.name.removeprefix(PREFIX).isdecimal()]
    return sorted(found, key=step_of)


def step_of(path: Path) -> int:
    """The step that a checkpoint's folder is named after."""
    return int(path.name.removeprefix(PREFIX))


def newest_whole(runs: Iterable[Path]) -> tuple[Checkpoint | None, list[str]]:
    """The newest checkpoint of several runs that verifies, and why each newer one does not."""
    refused: list[str] = []
    for path in sorted((path for run in runs for path in checkpoints_in(run)), key=step_of, reverse=True):
        try:
            return read_checkpoint(path), refused
        except TrainingError as error:
            refused.append(str(error))
    return None, refused


def keep_newest(run: Path, keep: int) -> None:
    """Remove all checkpoints of a run but the newest; one that cannot be removed stays."""
    for path in checkpoints_in(run)[:-keep]:
        shutil.rmtree(path, ignore_errors=True)


def _problems(path: Path, plain: dict[str, Any]) -> Iterable[str]:
    if plain["schema_version"] != _SCHEMA or type(plain["step"]) is not int or type(plain["run_key"]) is not str:
        yield f"{CHECKPOINT_FILE}: is not of a kind that this adapterkit knows"
        return
    if plain["step"] != step_of(path):
        yield f"{CHECKPOINT_FILE}: is that of step {plain['step']}"
    files: dict[str, str] = plain["files"]
    yield from (f"{name}: is not among its files" for name in _NEEDED if name not in files)
    there = {entry.name for entry in os.scandir(path)} - {CHECKPOINT_FILE}
    yield from (f"{name}: was not there when it was written" for name in sorted(there - files.keys()))
    for name, digest in sorted(files.items()):
        if name not in there:
            yield f"{name}: is missing"
        elif sha256_file(path / name) != digest:
            yield f"{name}: was changed, or cut"


def _flushed_digest(path: Path) -> str:
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return sha256_file(path)
