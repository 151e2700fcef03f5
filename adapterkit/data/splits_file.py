"""A file that says which rows each persona trains on, validates with and is tested on.

`{"anna": {"train": [0, 1, 2], "validation": [3], "test": ["id-17"]}, "ben": {"train": [4, 5]}}`: a number is the
0-based place of a row among all rows of the source, a text is the row's own `id`. A row that is not named is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapterkit.data.file_rows import FileRows
from adapterkit.data.jsonl import parse_object, trimmed
from adapterkit.data.sources import check_file
from adapterkit.data.splits import SPLITS
from adapterkit.errors import DataError, UnknownNameError
from adapterkit.names import nearest
from adapterkit.texts import excerpt, number_and_names

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MOST_BYTES = 1 << 30


@dataclass(frozen=True, eq=False)
class SplitsFile:
    """Rows by persona and split.

    Attributes:
        path: the file.
        personas: for each persona, for each of its splits, row numbers and ids.
    """

    path: Path
    personas: Mapping[str, Mapping[str, tuple[int | str, ...]]]

    def indices(self, rows: FileRows, persona: str | None, split: str) -> NDArray[np.int64]:
        """Which rows a persona's split is made of, in the order of the source; of all personas where null.

        Rows that were set aside as bad are left out.

        Raises:
            UnknownNameError: there is no such persona.
            DataError: a number is out of range, an id is no row's or several rows'; or a row is in two splits.
        """
        import numpy as np

        if persona is not None and persona not in self.personas:
            close = nearest(persona, sorted(self.personas))
            raise UnknownNameError(
                "persona", persona, close, hint=f"{self.path} names {number_and_names(self.personas)}."
            )
        places = self._places(rows)
        self._check_apart(places)
        wanted = sorted({place for (whose, of), found in places.items() for place in found
                         if of == split and persona in (None, whose)})  # fmt: skip
        return np.flatnonzero(np.isin(rows.where.places(), wanted))

    def _places(self, rows: FileRows) -> dict[tuple[str, str], set[int]]:
        """Row numbers for each persona and split, ids looked up."""
        if len(rows.sources) > 1:
            raise DataError("A splits file numbers the rows of one file: give data.train=FILE.", path=self.path)
        ids = _places_of_ids(rows, {name for *_, name in self._entries() if isinstance(name, str)})
        (count,) = rows.where.counts
        found: dict[tuple[str, str], set[int]] = {}
        for persona, split, name in self._entries():
            place = ids.get(name) if isinstance(name, str) else name
            if place is None or not 0 <= place < count:
                what = f"no row has the id {excerpt(name)}" if place is None else f"the last row is {count - 1}"
                raise self._error(persona, split, f"names the row {excerpt(name)}, and {what}")
            if place in (held := found.setdefault((persona, split), set())):
                raise self._error(persona, split, f"names the row {excerpt(name)} twice")
            held.add(place)
        return found

    def _check_apart(self, places: Mapping[tuple[str, str], set[int]]) -> None:
        """Demand that no row is in two splits: what one persona is tested on, all voices together would train on."""
        seen: dict[int, tuple[str, str]] = {}
        for (persona, split), found in places.items():
            for place in found:
                whose, other = seen.setdefault(place, (persona, split))
                if other != split:
                    raise self._error(persona, split, f"names row {place}, which is in {whose}'s {other} too")

    def _entries(self) -> Iterator[tuple[str, str, int | str]]:
        for persona, splits in self.personas.items():
            for split, names in splits.items():
                for name in names:
                    yield persona, split, name

    def _error(self, persona: str, split: str, what: str) -> DataError:
        return DataError(f"{persona}, {split}: the list {what}.", path=self.path)


def read_splits_file(path: Path) -> SplitsFile:
    """Read a splits file; the rows themselves are looked at later.

    Raises:
        DataError: it is missing, or not of the form that this module's docstring shows.
    """
    check_file(path)
    if path.stat().st_size > _MOST_BYTES:
        raise DataError("The file is larger than 1 GiB, which no list of rows needs.", path=path)
    whole = parse_object(path, 1, trimmed(1, path.read_bytes()))
    if not whole:
        raise DataError('It names no persona. Write {"NAME": {"train": [0, 1], "test": [2]}}.', path=path)
    return SplitsFile(path, {persona: _splits(path, persona, splits) for persona, splits in whole.items()})


def _splits(path: Path, persona: str, splits: Any) -> dict[str, tuple[int | str, ...]]:
    where = f"The persona {excerpt(persona)}"
    if not persona.strip() or not isinstance(splits, dict):
        raise DataError(f'{where} needs a name, and splits: {{"train": [...], "test": [...]}}.', path=path)
    for split, names in splits.items():
        if split not in SPLITS:
            raise DataError(f"{where} has the split {excerpt(split)}; the splits are {', '.join(SPLITS)}.", path=path)
        if not isinstance(names, list):
            raise DataError(f"{where}: '{split}' must be a list of row numbers or ids.", path=path)
        for name in names:
            if not isinstance(name, int | str) or isinstance(name, bool):
                raise DataError(f"{where}: '{split}' holds {excerpt(name)}, no row number and no id.", path=path)
    if not splits.get("train"):
        raise DataError(f"{where} has no row to train on.", path=path)
    return {split: tuple(names) for split, names in splits.items()}


def _places_of_ids(rows: FileRows, wanted: set[str]) -> dict[str, int]:
    """Where the rows with these ids stand."""
    found: dict[str, int] = {}
    places = rows.where.places()
    for index in range(len(rows)) if wanted else ():
        path, line = rows.place(index)
        name = parse_object(path, line, trimmed(line, rows.raw(index))).get("id")
        if isinstance(name, str) and name in wanted:
            if name in found:
                raise DataError(f"A second row has the id {excerpt(name)}.", path=path, line=line)
            found[name] = int(places[index])
    return found
