"""The pieces of a style pack's files: whole texts, JSONL rows and ABC tunes, and the rows that each becomes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from adapterkit.data.abc import AbcError, split_tunes
from adapterkit.data.conversation import Conversation, Origin, Turn
from adapterkit.data.jsonl import LINE_LIMIT, read_objects
from adapterkit.data.pack_files import PackFile
from adapterkit.errors import DataError

# A text of more words is several rows, of whole paragraphs each.
MOST_WORDS = 200
_KEYS = ("text", "prompt")


@dataclass(frozen=True)
class Piece:
    """What goes to one split as a whole.

    Attributes:
        file: where it stands.
        rows: what is trained on; more than one for a long text.
        title: of a tune; empty elsewhere.
        is_tune: whether it is one in ABC notation.
    """

    file: PackFile
    rows: tuple[Conversation, ...]
    title: str = ""
    is_tune: bool = False


def read_pieces(file: PackFile, prompt: str) -> Iterator[Piece]:
    """The pieces of one file in their order.

    Args:
        file: whose ending says how it is read.
        prompt: the user's turn of every row that brings none.

    Raises:
        DataError: the file is empty, too large, not UTF-8, or a row or tune in it cannot be read; the line is named.
    """
    if file.path.suffix == ".jsonl":
        yield from _rows(file, prompt)
    elif file.path.suffix == ".abc":
        yield from _tunes(file, prompt)
    else:
        yield _text(file, prompt)


def _rows(file: PackFile, prompt: str) -> Iterator[Piece]:
    for line, row in read_objects(file.path):
        origin = _origin(file, line)
        _check_row(row, origin)
        yield Piece(file, (_row(row["text"], row.get("prompt") or prompt, origin),))


def _check_row(row: dict[str, Any], origin: Origin) -> None:
    if unknown := [key for key in row if key not in _KEYS]:
        raise origin.error(f"'{unknown[0]}' is no key of a pack's row: write {{\"text\": ...}}, and perhaps a prompt.")
    for key in _KEYS:
        value = row.get(key)
        if (value is not None or key == "text") and (not isinstance(value, str) or not value.strip()):
            raise origin.error(f"'{key}' must be a text that says something.")


def _tunes(file: PackFile, prompt: str) -> Iterator[Piece]:
    found = False
    try:
        for tune in split_tunes(_read(file)):
            found = True
            yield Piece(file, (_row(tune.plain, prompt, _origin(file, tune.line)),), tune.first("T"), True)
    except AbcError as error:
        raise DataError(f"{error}. Correct it, or take the tune out.", path=file.path, line=error.line) from error
    if not found:
        raise DataError("No tune is here: each begins with a line X:1", path=file.path)


def _text(file: PackFile, prompt: str) -> Piece:
    """Whole paragraphs, as many together as have 200 words at most; a longer paragraph stands alone."""
    rows: list[Conversation] = []
    passage: list[str] = []
    begun = 1
    for line, paragraph in _paragraphs(_read(file)):
        if passage and _words(passage) + _words([paragraph]) > MOST_WORDS:
            rows.append(_row("\n\n".join(passage), prompt, _origin(file, begun)))
            passage = []
        begun = begun if passage else line
        passage.append(paragraph)
    if not passage:
        raise DataError("The file says nothing. Write a text, or take the file away.", path=file.path)
    return Piece(file, (*rows, _row("\n\n".join(passage), prompt, _origin(file, begun))))


def _paragraphs(text: str) -> Iterator[tuple[int, str]]:
    """Each with its first line; the line breaks inside it stay, since they may be verse."""
    begun, lines = 1, list[str]()
    for number, line in enumerate([*text.split("\n"), ""], start=1):
        if line.strip():
            begun = begun if lines else number
            lines.append(line.rstrip())
        elif lines:
            yield begun, "\n".join(lines)
            lines = []


def _words(paragraphs: list[str]) -> int:
    return sum(len(paragraph.split()) for paragraph in paragraphs)


def _read(file: PackFile) -> str:
    try:
        with file.path.open("rb") as opened:
            data = opened.read(LINE_LIMIT + 1)
    except OSError as error:
        raise DataError(f"The file cannot be read: {error}", path=file.path) from error
    if len(data) > LINE_LIMIT:
        what = f"The file is larger than {LINE_LIMIT >> 20} MiB. A text is one piece: cut it into several files."
        raise DataError(what, path=file.path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        what = f"Not UTF-8: byte 0x{data[error.start]:02x}. Save the file as UTF-8."
        raise DataError(what, path=file.path, line=line) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _origin(file: PackFile, line: int) -> Origin:
    return Origin(path=str(file.path), line=line, label=file.styles[-1], strata=file.styles[1:])


def _row(text: str, prompt: str, origin: Origin) -> Conversation:
    return Conversation((Turn("user", prompt), Turn("assistant", text)), origin)
