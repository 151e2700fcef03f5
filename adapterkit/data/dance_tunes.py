"""Dance tunes of two books, Ryan's Mammoth Collection and O'Neill's, as the `music21` package keeps them in ABC."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from adapterkit.data.abc import AbcError, Tune, split_tunes
from adapterkit.data.abc.keys import LETTERS
from adapterkit.data.whole_pieces import alike, gather
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
_NOTE = re.compile(r"([A-Ga-g])([,']*)")
_OTHER_THAN_NOTES = re.compile(r"^[A-Za-z]:.*$|\[[A-Za-z]:[^\]]*\]", re.MULTILINE)
_KIND = re.compile(r"\b(?:(?:slip|double|single) ?jig|jig|reel|hornpipe|strathspey|clog|the|a|an|no|\d+|1st|2nd|3rd)\b")
# Ten steps are about two bars: who shares half of those shares half of the tune.
_STEPS, _SHARED = 10, 0.5


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
    titles = [f"title {title}" if (title := _title(tune)) else () for _, tune, _ in found.values()]
    shapes = alike([_shape(text) for text in found], share=_SHARED)
    families = gather([[title, *links] if title else links for title, links in zip(titles, shapes, strict=True)])
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


def _title(tune: Tune) -> str:
    """A title without its kind of dance, articles, numbers and punctuation: what variants have in common."""
    words = re.sub(r"[^a-z0-9 ]", "", tune.first("T").casefold().replace("-", " "))
    return " ".join(_KIND.sub(" ", words).split())


def _shape(text: str) -> frozenset[tuple[int, ...]]:
    """Every run of ten steps from note to note: the same in every key, and with other lengths."""
    melody = _OTHER_THAN_NOTES.sub("", text)
    heights = [
        7 * (letter.islower() + octave.count("'") - octave.count(",")) + LETTERS.index(letter.upper())
        for letter, octave in _NOTE.findall(melody)
    ]
    steps = [after - before for before, after in zip(heights, heights[1:], strict=False)]
    return frozenset(tuple(steps[at : at + _STEPS]) for at in range(len(steps) - _STEPS + 1))
