"""`adapterkit rebuild` and `reproduce`: what they print."""

from __future__ import annotations

import dataclasses
import logging
import sys
from collections.abc import Sequence
from typing import Any

from adapterkit.cli.output import print_json, print_table, printable
from adapterkit.registry import Standing
from adapterkit.workflows.rebuild import Rebuilt
from adapterkit.workflows.reproduce import Reproduction


def log_to_stderr() -> None:
    """Show what a training logs, and leave stdout to the result."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)


def print_plan(found: Sequence[Standing], as_json: bool) -> None:
    """Print what a rebuild would train, parents first."""
    rows = [{"name": each.entry.name, "why": "; ".join(map(str, each.reasons))} for each in found]
    if as_json:
        print_json(rows)
    elif rows:
        print_table(("would train", "because of"), [tuple(row.values()) for row in rows])
    else:
        print("Everything is up to date.")


def print_rebuilt(done: Sequence[Rebuilt], as_json: bool) -> None:
    """Print what was trained, and what could not be."""
    if as_json:
        print_json([dataclasses.asdict(each) for each in done])
    elif not done:
        print("Everything is up to date.")
    for each in () if as_json else done:
        told = f"{each.ref}: {each.why}" if each.ref else f"NOT rebuilt: {each.name}: {each.problem}"
        print(printable(f"{told} ({each.note})" if each.note else told))


def print_reproduction(found: Reproduction, as_json: bool) -> None:
    """Print whether the bits are the same, and if not, by how much they differ and what else does."""
    if as_json:
        print_json(_finite(dataclasses.asdict(found)))
        return
    if found.identical:
        print(f"{found.ref} is reproduced: all {found.tensors} tensors are bit-identical")
    else:
        print(
            f"{found.ref} is NOT reproduced: {found.differing} of {found.tensors} tensors differ, at most by "
            f"{found.largest_difference:.3g} in {found.tensor}"
        )
    for name, (then, now) in found.circumstances.items():
        print(printable(f"  {name}: {then} then, {now} now"))
    if not found.identical and not found.circumstances:
        print("  every recorded circumstance is the same")


def _finite(plain: dict[str, Any]) -> dict[str, Any]:
    """JSON has no infinity, which is the difference of tensors that cannot be compared."""
    gap = plain["largest_difference"]
    return plain | {"largest_difference": gap if gap < float("inf") else None}
