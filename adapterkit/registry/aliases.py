"""Aliases: names that move between the versions of an adapter, each move a small file that is never changed.

`<registry>/<name>/aliases/<alias>/<number>.json`. Creating the next number is the compare-and-set between two who move
an alias at once; nothing is ever overwritten, so the files are the history too. Readers go by the newest,
so moving again heals a damaged one.

`latest` needs no move: it is the highest version. A move can hold it at another one until something newer is published.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapterkit.artifacts import parse_json, pretty_json
from adapterkit.errors import AdapterKitError, RegistryError
from adapterkit.manifest.values import digest, text
from adapterkit.names import Version, check_alias
from adapterkit.registry.layout import refuse_links
from adapterkit.stores import create_file, explained, flush_place, read_file, remove_stale_staging
from adapterkit.texts import excerpt, in_registry

LATEST, PRODUCTION = "latest", "production"
PROMOTE, ROLLBACK = "promote", "rollback"
ALIASES_FOLDER = "aliases"
_SCHEMA = 1
_NUMBER = re.compile(r"[1-9]\d{0,8}\.json", re.ASCII)
_LAST = 999_999_999
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


@dataclass(frozen=True)
class DamagedMove:
    """A move that nobody can read any more; `problem` names the file and says what is wrong with it."""

    number: int
    problem: str


def alias_names(folder: Path) -> list[str]:
    """The aliases of an adapter that have a history, be it an empty one, sorted.

    Raises:
        RegistryError: the folder cannot be listed, or is a link.
    """
    refuse_links(folder, folder / ALIASES_FOLDER)
    return [name for name in _listed(folder / ALIASES_FOLDER) if _is_alias(name)]


def alias_moves(folder: Path, alias: str) -> list[AliasMove]:
    """The moves of an alias, oldest first, as far back as each can be read; number 1 is the first that ever was.

    What lies beyond a damaged or a missing file is left out: without that move nobody knows what was given up.

    Raises:
        RegistryError: the newest move is damaged, or the history cannot be listed.
    """
    moves: list[AliasMove] = []
    for number in reversed(_numbers(folder, alias)):
        if moves and number != moves[-1].number - 1:
            break
        try:
            moves.append(_read(folder, alias, number))
        except RegistryError:
            if not moves:
                raise
            break
    return moves[::-1]


def alias_records(folder: Path, alias: str) -> Iterator[AliasMove | DamagedMove]:
    """Every move of an alias, oldest first, with those that cannot be read; of a gap only its end.

    Raises:
        RegistryError: the history cannot be listed.
    """
    expected = 1
    for number in _numbers(folder, alias):
        if number != expected:
            yield DamagedMove(number - 1, f"{_file(folder, alias, number - 1)} is missing")
        try:
            yield _parsed(_file(folder, alias, number), number)
        except (AdapterKitError, KeyError, TypeError, ValueError) as error:
            yield DamagedMove(number, f"{_file(folder, alias, number)} is damaged: {error}")
        expected = number + 1


def last_move(folder: Path, alias: str) -> AliasMove | None:
    """The newest move of an alias; None when it was never moved.

    Raises:
        RegistryError: the file is damaged, or the history cannot be listed.
    """
    numbers = _numbers(folder, alias)
    return _read(folder, alias, numbers[-1]) if numbers else None


def last_number(folder: Path, alias: str) -> int:
    """The number of an alias's newest move, readable or not; 0 when it was never moved.

    Raises:
        RegistryError: the history cannot be listed.
    """
    numbers = _numbers(folder, alias)
    return numbers[-1] if numbers else 0


def move_alias(
    folder: Path, alias: str, action: str, version: Version, artifact_digest: str, highest: Version, *, after: int
) -> AliasMove:
    """Append a move; after this returns, every reader sees the alias at that version.

    Args:
        folder: the adapter's folder.
        alias: which alias.
        action: promote or rollback.
        version: where to.
        artifact_digest: of that version.
        highest: the highest version when the move was decided.
        after: the number of the newest move when it was decided; 0 when there was none.

    Raises:
        RegistryError: somebody else moved the alias since then, or the disk refuses.
    """
    if after >= _LAST:
        raise RegistryError(
            f"The history of {folder.name}@{alias} has no number left after {_file(folder, alias, after)}, which "
            "was probably made by hand. Move that file away, and decide again."
        )
    now = datetime.now(UTC).isoformat(timespec="seconds")
    move = AliasMove(after + 1, action, version, artifact_digest, highest, now)
    written = pretty_json(move.to_json(), alias)
    if last_number(folder, alias) != after or not create_file(_file(folder, alias, move.number), written):
        raise RegistryError(
            f"The alias {folder.name}@{alias} was moved by somebody else at the same moment. See where it is now, with "
            f"{in_registry(f'adapterkit history {folder.name}', folder.parent)}, and decide again."
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


def _read(folder: Path, alias: str, number: int) -> AliasMove:
    path = _file(folder, alias, number)
    try:
        return _parsed(path, number)
    except (AdapterKitError, KeyError, TypeError, ValueError) as error:
        promote = in_registry(f"adapterkit promote {folder.name}@VERSION --to {alias}", folder.parent)
        raise RegistryError(
            f"The history of the alias {folder.name}@{alias} is damaged: {path}: {error}. Move the alias again, to a "
            f"version that you trust: {promote}"
        ) from error


def _parsed(path: Path, number: int) -> AliasMove:
    return _move(parse_json(read_file(path, limit=_MAX_BYTES), path.name), number)


def _move(plain: Any, number: int) -> AliasMove:
    if not isinstance(plain, dict) or set(plain) != _KEYS:
        raise ValueError(f"it does not have exactly the keys {', '.join(sorted(_KEYS))}")
    if type(plain["schema_version"]) is not int or plain["schema_version"] != _SCHEMA:
        raise ValueError(f"schema_version {excerpt(plain['schema_version'])} is unknown; update adapterkit")
    if plain["action"] not in (PROMOTE, ROLLBACK):
        raise ValueError(f"{excerpt(plain['action'])} is no action")
    return AliasMove(
        number=number,
        action=plain["action"],
        version=Version.parse(text(plain["version"])),
        artifact_digest=digest(plain["artifact_digest"]),
        highest=Version.parse(text(plain["highest"])),
        at=text(plain["at"]),
    )


def _numbers(folder: Path, alias: str) -> list[int]:
    place = folder / ALIASES_FOLDER / check_alias(alias)
    refuse_links(folder, place.parent, place)
    return sorted(int(name[:-5]) for name in _listed(place) if _NUMBER.fullmatch(name))


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
