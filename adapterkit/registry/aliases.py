"""Aliases: names that move between the versions of an adapter, each move a small file that is never changed.

`<registry>/<name>/aliases/<alias>/<number>.json`. Creating the next number is the compare-and-set between two who move
an alias at once; nothing is ever overwritten, so the files are the history too.

`latest` needs no move: it is the highest version. A move can hold it at another one until something newer is published.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapterkit.artifacts import parse_json, pretty_json
from adapterkit.errors import AdapterKitError, ArtifactError, RegistryError
from adapterkit.manifest.values import digest, text
from adapterkit.names import Version, check_alias
from adapterkit.stores import create_file, explained, flush_place, read_file, remove_stale_staging

LATEST, PRODUCTION = "latest", "production"
PROMOTE, ROLLBACK = "promote", "rollback"
ALIASES_FOLDER = "aliases"
_SCHEMA = 1
_NUMBER = re.compile(r"[1-9]\d{0,8}\.json")
_MAX_BYTES = 10_000
_KEYS = {"schema_version", "action", "version", "artifact_digest", "highest", "at"}


@dataclass(frozen=True)
class AliasMove:
    """One move of an alias.

    Attributes:
        number: its place in the alias's history, from 1.
        action: promote or rollback.
        version: where the alias points from then on.
        artifact_digest: the artifact digest of that version when the alias was moved.
        highest: the highest version at that time.
        at: UTC time, ISO 8601, seconds.
    """

    number: int
    action: str
    version: Version
    artifact_digest: str
    highest: Version
    at: str

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, without the number, which is the file's name."""
        return {
            "schema_version": _SCHEMA,
            "action": self.action,
            "version": str(self.version),
            "artifact_digest": self.artifact_digest,
            "highest": str(self.highest),
            "at": self.at,
        }


def alias_names(folder: Path) -> list[str]:
    """The aliases of an adapter that were ever moved, sorted.

    Raises:
        RegistryError: the folder cannot be listed.
    """
    return [name for name in _listed(folder / ALIASES_FOLDER) if _is_alias(name) and _numbers(folder, name)]


def alias_moves(folder: Path, alias: str) -> list[AliasMove]:
    """Every move of an alias, oldest first.

    Raises:
        RegistryError: a file of its history is damaged, or cannot be listed.
    """
    return [_read(folder, alias, number) for number in _numbers(folder, alias)]


def last_move(folder: Path, alias: str) -> AliasMove | None:
    """The newest move of an alias; None when it was never moved.

    Raises:
        RegistryError: the file is damaged, or the history cannot be listed.
    """
    numbers = _numbers(folder, alias)
    return _read(folder, alias, numbers[-1]) if numbers else None


def move_alias(
    folder: Path, alias: str, action: str, version: Version, artifact_digest: str, highest: Version
) -> AliasMove:
    """Append a move; after this returns, every reader sees the alias at that version.

    Raises:
        RegistryError: somebody else moved the alias at the same time, or the disk refuses.
    """
    numbers = _numbers(folder, alias)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    move = AliasMove(numbers[-1] + 1 if numbers else 1, action, version, artifact_digest, highest, now)
    if not create_file(_file(folder, alias, move.number), pretty_json(move.to_json(), alias)):
        raise RegistryError(
            f"The alias {folder.name}@{alias} was moved by somebody else at the same moment. See where it is now, with "
            f"adapterkit history {folder.name}, and decide again."
        )
    return move


def settle_alias(folder: Path, alias: str) -> None:
    """Flush the newest move and clear up beside it: whoever made it may have died, or been refused, before that.

    Raises:
        RegistryError: the disk refuses.
    """
    if numbers := _numbers(folder, alias):
        newest = _file(folder, alias, numbers[-1])
        remove_stale_staging(newest.parent)
        flush_place(newest)


def pointed_at(alias: str, move: AliasMove | None, versions: Sequence[Version]) -> Version | None:
    """The version that an alias means, given its newest move and the versions that exist, oldest first."""
    if alias != LATEST:
        return move.version if move else None
    highest = versions[-1] if versions else None
    held = move is not None and highest is not None and highest <= move.highest and move.version in versions
    return move.version if move is not None and held else highest


def standing(alias: str, moves: Iterable[AliasMove], versions: Sequence[Version]) -> list[Version]:
    """Where an alias points and where it pointed before, as a stack whose top is now: each rollback took one off.

    Args:
        alias: the alias; `latest` is also moved by every publishing.
        moves: its moves, oldest first.
        versions: the versions that exist, oldest first; others are left out.
    """
    stack: list[Version] = []
    for action, version in _events(alias, list(moves), versions):
        if action == ROLLBACK and version in stack:
            while stack[-1] != version:
                stack.pop()
        elif not stack or stack[-1] != version:
            stack.append(version)
    return _without_repeats(version for version in stack if version in versions)


def _events(alias: str, moves: Sequence[AliasMove], versions: Sequence[Version]) -> Iterator[tuple[str, Version]]:
    """Publishings (for `latest`) and moves, in the order in which they happened.

    A version that was collected since counts where a move names it: going back to it took off what lay above, and that
    must not come back.
    """
    known = {*versions, *(version for move in moves for version in (move.version, move.highest))}
    published = sorted(known) if alias == LATEST else []
    for move in moves:
        while published and published[0] <= move.highest:
            yield PROMOTE, published.pop(0)
        yield move.action, move.version
    yield from ((PROMOTE, version) for version in published)


def _without_repeats(versions: Iterable[Version]) -> list[Version]:
    found: list[Version] = []
    for version in versions:
        if not found or found[-1] != version:
            found.append(version)
    return found


def _read(folder: Path, alias: str, number: int) -> AliasMove:
    path = _file(folder, alias, number)
    try:
        plain = parse_json(read_file(path, limit=_MAX_BYTES), path.name)
        return _move(plain, number)
    except (ArtifactError, AdapterKitError, KeyError, TypeError, ValueError) as error:
        raise RegistryError(
            f"The history of the alias {folder.name}@{alias} is damaged: {path}: {error}. Move the alias again, to a "
            f"version that you trust: adapterkit promote {folder.name}@VERSION --to {alias}"
        ) from error


def _move(plain: Any, number: int) -> AliasMove:
    if not isinstance(plain, dict) or set(plain) != _KEYS:
        raise ValueError(f"it does not have exactly the keys {', '.join(sorted(_KEYS))}")
    if type(plain["schema_version"]) is not int or plain["schema_version"] != _SCHEMA:
        raise ValueError(f"schema_version {plain['schema_version']!r} is unknown; update adapterkit")
    if plain["action"] not in (PROMOTE, ROLLBACK):
        raise ValueError(f"{plain['action']!r} is no action")
    return AliasMove(
        number=number,
        action=plain["action"],
        version=Version.parse(text(plain["version"])),
        artifact_digest=digest(plain["artifact_digest"]),
        highest=Version.parse(text(plain["highest"])),
        at=text(plain["at"]),
    )


def _numbers(folder: Path, alias: str) -> list[int]:
    return sorted(
        int(name[:-5]) for name in _listed(folder / ALIASES_FOLDER / check_alias(alias)) if _NUMBER.fullmatch(name)
    )


def _file(folder: Path, alias: str, number: int) -> Path:
    return folder / ALIASES_FOLDER / check_alias(alias) / f"{number}.json"


def _is_alias(text: str) -> bool:
    try:
        return check_alias(text) == text
    except AdapterKitError:
        return False


def _listed(folder: Path) -> list[str]:
    with explained(f"Listing {folder}"):
        try:
            return sorted(os.listdir(folder))
        except (FileNotFoundError, NotADirectoryError):
            return []
