"""`adapterkit rebuild` and `reproduce`: what they print."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from adapterkit.cli.output import first_line, print_json, printable
from adapterkit.workflows.planning import FAILED, HELD, LEFT, TAKEN, TRAINED, Rebuilt
from adapterkit.workflows.reproduce import Reproduction


def print_plan(plan: Sequence[Rebuilt], as_json: bool) -> None:
    """Print what a rebuild would do, parents first."""
    would = {TRAINED: "would train {0.name}: {0.why}", TAKEN: "would take {0.ref} again: {0.why}"}
    _print_steps(plan, would, as_json)


def print_rebuilt(done: Sequence[Rebuilt], as_json: bool) -> None:
    """Print what was trained, and what could not be."""
    _print_steps(done, dict.fromkeys((TRAINED, TAKEN), "{0.ref}: {0.why}"), as_json)


def _print_steps(steps: Sequence[Rebuilt], forms: dict[str, str], as_json: bool) -> None:
    if as_json:
        print_json([dataclasses.asdict(each) for each in steps])
        return
    if all(each.action == HELD for each in steps):
        print("Everything is up to date.")
    kept = {FAILED: "NOT rebuilt: {0.name}: {0.problem}", HELD: "{0.name} is {0.why}", LEFT: "{0.ref}: {0.why}"}
    for each in steps:
        shown = dataclasses.replace(each, problem=first_line(each.problem or ""))
        told = (forms | kept)[each.action].format(shown)
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
