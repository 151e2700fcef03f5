"""`adapterkit gc` and `remove`: what goes, what went, and why the rest stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from adapterkit.cli.output import print_json, print_table, printable
from adapterkit.registry import Collection, Removed
from adapterkit.texts import counted, in_registry

# Versions that are told with the reason why they stay.
_TOLD = 50


def print_collected(found: Collection, place: Path, command: str | None, as_json: bool) -> None:
    """Print what would be removed, with the command that does it; or what was, where there is no command."""
    if as_json:
        print_json(_plain(found, command))
        return
    verb = "would remove" if command else "removed"
    for ref in found.versions:
        print(f"{verb} {ref}")
    for path in found.left_behind:
        print(printable(f"{verb} {path}, left behind by a process that is dead"))
    if not found.versions and not found.left_behind:
        print(printable(f"Nothing to collect: {_all_of(len(found.kept), place)}."))
        if len(found.kept) > 1:
            _print_kept(found, place)
        return
    stay = f"{counted(len(found.kept), 'version')} {'stays' if len(found.kept) == 1 else 'stay'}."
    print(f"{_size(found)}, and {stay} To do it: {command}" if command else f"{_size(found)} went free, and {stay}")


def print_removed(found: Removed, command: str | None, as_json: bool) -> None:
    """Print what would be removed, with the command that does it; or what was, where there is no command."""
    if as_json:
        led_back = {alias: str(version) if version else None for alias, version in found.led_back.items()}
        print_json({"applied": command is None, "ref": str(found.ref), "bytes": found.bytes, "led_back": led_back})
        return
    leads, without = ("leads", "without that") if command else ("led", "now")
    for alias, version in found.led_back.items():
        then = f"it leads to {version}" if version else "there is nothing to go back to"
        print(f"A rollback of {found.ref.name}@{alias} {leads} to {found.ref.selector}; {without} {then}.")
    if command:
        print(f"would remove {found.ref}, {_size(found)}. To do it: {command}")
    else:
        print(f"removed {found.ref}; {_size(found)} went free")


def _print_kept(found: Collection, place: Path) -> None:
    """Why each version stays; of very many `--json` tells it."""
    if len(found.kept) > _TOLD:
        print(f"Why each of them stays: {in_registry('adapterkit gc --json', place)}")
    else:
        print_table(("stays", "why"), [(str(ref), why) for ref, why in sorted(found.kept.items(), key=str)])
        print(f"One version of them alone: {in_registry('adapterkit remove NAME@VERSION', place)}")


def _plain(found: Collection, command: str | None) -> dict[str, Any]:
    return {
        "applied": command is None,
        "versions": [str(ref) for ref in found.versions],
        "left_behind": [str(path) for path in found.left_behind],
        "bytes": found.bytes,
        "kept": {str(ref): why for ref, why in found.kept.items()},
    }


def _all_of(kept: int, place: Path) -> str:
    if kept > 1:
        return f"all {kept:,} versions are needed, or among the newest"
    return "its only version is among the newest" if kept else f"{place} holds no version{_missing(place)}"


def _missing(place: Path) -> str:
    return "" if place.is_dir() else " (there is no such folder)"


def _size(found: Collection | Removed) -> str:
    return f"{found.bytes / 1e6:,.1f} MB" if found.bytes >= 1e6 else counted(found.bytes, "byte")
