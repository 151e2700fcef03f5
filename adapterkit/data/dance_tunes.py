"""Dance tunes of two books, Ryan's Mammoth Collection and O'Neill's, as the `music21` package keeps them in ABC."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from adapterkit.data.abc import AbcError, Tune, split_tunes
from adapterkit.data.tune_families import family_links
from adapterkit.data.whole_pieces import gather
from adapterkit.errors import DataError

_log = logging.getLogger(__name__)

BOOKS = ("ryansMammoth", "oneills1850")
# What the books write in `R:` for each style.
_STYLES = {
    "reel": "reel",
    "jig": "jig",
    "double jig": "jig",
    "hornpipe": "hornpipe",
    "slipjig": "slip_jig",
    "slip jig": "slip_jig",
    "strathspey": "strathspey",
}
STYLES = tuple(dict.fromkeys(_STYLES.values()))


@dataclass(frozen=True)
class DanceTune:
    """One tune of a book.

    Attributes:
        path: the file inside the corpus.
        line: where its `X:` stands.
        style: one of `STYLES`.
        text: metre, unit, key and melody; nothing in it says which style it is.
        family: the same for tunes of one title, and for tunes that share half of their melody, in whatever key.
    """

    path: str
    line: int
    style: str
    text: str
    family: int


@lru_cache(maxsize=1)
def read_dance_tunes(folder: Path) -> tuple[DanceTune, ...]:
    """Every tune of the five styles, the books one after the other; of equal ones the first.

    A tune that cannot be read to its last sign - a few were damaged by mail programs - is left out and counted.

    Raises:
        DataError: the corpus has no tunes, or a file is not UTF-8.
    """
    found: dict[str, tuple[str, Tune, str]] = {}
    unread = 0
    for path, tune in _tunes(folder):
        style = _STYLES.get(tune.first("R").casefold())
        if style is None:
            continue
        try:
            found.setdefault(tune.plain, (path, tune, style))
        except AbcError as error:
            unread += 1
            _log.debug("%s, line %d: left out: %s", path, error.line, error)
    if not found:
        raise DataError("No dance tune is here. Install the package again.", path=folder)
    _log.info("%d dance tunes; %d cannot be read and are left out", len(found), unread)
    families = gather(family_links([(tune.first("T"), text) for text, (_, tune, _) in found.items()]))
    return tuple(
        DanceTune(path, tune.line, style, text, family)
        for (text, (path, tune, style)), family in zip(found.items(), families, strict=True)
    )


def _tunes(folder: Path) -> Iterator[tuple[str, Tune]]:
    for book in BOOKS:
        for file in sorted((folder / book).glob("*.abc"), key=lambda each: each.name):
            path = f"music21/corpus/{book}/{file.name}"
            try:
                yield from ((path, tune) for tune in split_tunes(file.read_text(encoding="utf-8")))
            except AbcError as error:
                raise DataError(f"{error}. Install the package again.", path=path, line=error.line) from error
            except (OSError, ValueError) as error:
                raise DataError(f"The file cannot be read: {error}. Install the package again.", path=path) from error
