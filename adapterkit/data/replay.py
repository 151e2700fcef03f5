"""A reservoir of past rows: a sample of all that an adapter was ever trained on, for training that goes on.

Vitter, "Random sampling with a reservoir" (1985), algorithm R: whatever was added, each row of it is held with the same
probability. What is drawn hangs on the seed and on how many rows came before alone, so that adding rows in two goes, or
on two machines, comes to the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from adapterkit.data.conversation import Conversation, Origin, Turn
from adapterkit.data.jsonl import parse_object
from adapterkit.data.sources import check_file
from adapterkit.digest import canonical_json, sha256_bytes
from adapterkit.errors import DataError, UsageError
from adapterkit.stores.replace import replace_files

_SCHEMA = 1


@dataclass(frozen=True)
class Reservoir:
    """Past rows.

    Attributes:
        capacity: how many are held at most.
        seed: of what is drawn.
        seen: how many were ever added.
        rows: those held.
    """

    capacity: int
    seed: int = 0
    seen: int = 0
    rows: tuple[Conversation, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a reservoir that could hold nothing."""
        if self.capacity < 1:
            raise UsageError(f"A reservoir of {self.capacity} rows holds nothing: give a capacity of 1 or more.")

    @property
    def digest(self) -> str:
        """Hex sha256 of all of it: what is held, and how it goes on."""
        return sha256_bytes(_head(self) + _body(self))

    def add(self, rows: Iterable[Conversation]) -> Reservoir:
        """The reservoir after more rows."""
        held, seen = list(self.rows), self.seen
        for row in rows:
            seen += 1
            place = len(held) if seen <= self.capacity else _draw(self.seed, seen, seen)
            held[place : place + 1] = [row] if place < self.capacity else held[place : place + 1]
        return replace(self, seen=seen, rows=tuple(held))

    def draw(self, count: int) -> tuple[Conversation, ...]:
        """So many of the rows held, each once at most, in the order in which they are held."""
        order = sorted(range(len(self.rows)), key=lambda place: (_draw(self.seed, place, 1 << 64), place))
        return tuple(self.rows[place] for place in sorted(order[:count]))

    def save(self, path: Path) -> None:
        """Write it, with its digest, in place of the file that may be there.

        Raises:
            RegistryError: the disk refuses; the file before stands.
        """
        head = json.loads(_head(self)) | {"digest": self.digest}
        replace_files(path.parent, {path.name: canonical_json(head) + b"\n" + _body(self)})

    @classmethod
    def load(cls, path: Path) -> Reservoir:
        """Read what `save` wrote.

        Raises:
            DataError: the file is missing, or is not what was written.
        """
        check_file(path)
        first, _, body = path.read_bytes().partition(b"\n")
        head = parse_object(path, 1, first)
        try:
            if head["schema"] != _SCHEMA:
                raise DataError(f"This is a reservoir of schema {head['schema']}, not {_SCHEMA}.", path=path)
            rows = tuple(_rows(path, body))
            found = cls(head["capacity"], head["seed"], head["seen"], rows)
            if (found.digest, len(rows), _body(found)) == (head["digest"], min(found.seen, found.capacity), body):
                return found
        except (KeyError, TypeError, ValueError, UsageError) as error:
            raise DataError(f"This is no reservoir, or is damaged: {error!r}.", path=path) from error
        raise DataError("The reservoir is damaged: its rows are not those that its digest is of.", path=path)


def _draw(seed: int, number: int, below: int) -> int:
    """A whole number below another; of 128 bits, so that none is likelier than others by what could be noticed."""
    return int.from_bytes(hashlib.blake2b(b"%d %d" % (seed, number), digest_size=16).digest(), "big") % below


def _head(reservoir: Reservoir) -> bytes:
    return canonical_json(
        {"schema": _SCHEMA, "capacity": reservoir.capacity, "seed": reservoir.seed, "seen": reservoir.seen}
    )


def _body(reservoir: Reservoir) -> bytes:
    return b"".join(canonical_json(_plain(row)) + b"\n" for row in reservoir.rows)


def _plain(row: Conversation) -> dict[str, Any]:
    plain: dict[str, Any] = {"messages": row.messages, "from": [row.origin.path, row.origin.line]}
    if row.origin.strata:
        plain |= {"label": row.origin.label, "strata": list(row.origin.strata)}
    if row.weight != 1:
        plain["weight"] = row.weight
    if row.rejected is not None:
        plain["rejected"] = row.rejected
    return plain


def _rows(path: Path, body: bytes) -> Iterator[Conversation]:
    for number, line in enumerate(body.splitlines(), start=2):
        row = parse_object(path, number, line)
        source, place = row["from"]
        origin = Origin(source, place, row.get("label", ""), tuple(row.get("strata", ())))
        turns = tuple(Turn(message["role"], message["content"]) for message in row["messages"])
        yield Conversation(turns, origin, row.get("weight", 1.0), row.get("rejected"))
