"""`adapterkit promote`, `rollback` and `history`: where aliases point and pointed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adapterkit.cli.output import print_json, print_table, printable
from adapterkit.errors import UsageError
from adapterkit.names import AdapterRef, Version, check_name
from adapterkit.registry import Event, Moved, Registry, history_of
from adapterkit.texts import in_registry

_HEADINGS = ("when", "what", "version", "test loss", "note")


def which_alias(text: str, registry: Path) -> AdapterRef:
    """Read `name` or `name@alias`; without an alias, `latest` is meant. The registry is for the message alone.

    Raises:
        UsageError: a version stands where an alias should.
    """
    ref = AdapterRef.parse(text)
    if isinstance(ref.selector, Version):
        raise UsageError(
            f"A version cannot be rolled back, an alias can. To go back to {ref.selector}: "
            f"{in_registry(f'adapterkit rollback {ref.name} --to {ref.selector}', registry)}"
        )
    return AdapterRef(ref.name, ref.selector or "latest")


def bare_name(text: str) -> str:
    """Read a name that no version and no alias follows.

    Raises:
        UsageError: one does, or no adapter may bear the name.
    """
    name, at, _ = text.partition("@")
    if at:
        raise UsageError(
            f"The history is that of an adapter with all its versions and aliases, and takes a bare name: adapterkit "
            f"history {check_name(name)}"
        )
    return check_name(name)


def print_moved(moved: Moved, as_json: bool) -> None:
    """Print where an alias points now, and where it did."""
    alias, before = f"{moved.name}@{moved.alias}", str(moved.before) if moved.before else None
    if as_json:
        print_json({"name": moved.name, "alias": moved.alias, "before": before, "now": str(moved.now)})
    elif moved.before == moved.now:
        print(f"{alias} is {moved.now} already")
    else:
        print(f"{alias} is {moved.now} now{f'; it was {before}' if before else ''}")


def history(registry: Registry, name: str) -> dict[str, Any]:
    """The history of an adapter as plain JSON values.

    Raises:
        RefNotFoundError: there is no such adapter.
    """
    if not registry.versions(name):
        registry.resolve(name)  # says why
    found = registry.pointers(name)
    return {
        "name": name,
        "aliases": {pointer.alias: str(pointer.version) for pointer in found if pointer.version},
        "problems": [{"alias": pointer.alias, "what": pointer.problem} for pointer in found if pointer.problem],
        "events": [_plain(event) for event in history_of(registry, name)],
    }


def print_history(facts: dict[str, Any]) -> None:
    """Print one line for each publishing and each move of an alias, oldest first, then where the aliases point."""
    print_table(_HEADINGS, [_cells(event) for event in facts["events"]])
    print()
    for alias, version in facts["aliases"].items():
        print(f"{facts['name']}@{alias} is {version}")
    for problem in facts["problems"]:
        print(printable(f"BROKEN: {problem['what']}"))


def _plain(event: Event) -> dict[str, Any]:
    return {**dataclasses.asdict(event), "version": str(event.version) if event.version else None}


def _cells(event: dict[str, Any]) -> Sequence[str]:
    what = event["what"] if event["alias"] is None else f"{event['what']} {event['alias']}"
    loss = "" if event["test_loss"] is None else f"{event['test_loss']:.3f}"
    return event["at"], what, event["version"] or "", loss, event["note"]
