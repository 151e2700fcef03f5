"""The body of an ABC tune as tokens (ABC 2.1, sections 4.1 to 4.20); what is none of them is refused with its line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_NOTE = r"(?:\^{1,2}|_{1,2}|=)?[A-Ga-g][,']*"
_LENGTH = r"\d{0,3}(?:/{1,4}\d{0,3})?"
_ENDING = r"[1-9](?:[,-][1-9])*"
# In this order: a tuplet before the slur that it looks like, a chord and an ending before the bar line.
_KINDS = {
    "comment": r"%[^\n]*",
    # A letter that is no note: `d:|` at the start of a line is music.
    "field": r"\[[A-Za-z]:[^\]\n]*\]|^[H-Wh-wXYZ]:[^\n]*",
    "grace": r"\{[^}\n]*\}",
    "annotation": r'"[^"\n]*"',
    "tuplet": r"\([2-9](?::[0-9]?){0,2}",
    "chord": rf"\[(?:{_NOTE}{_LENGTH})+\]{_LENGTH}",
    "ending": rf"\[{_ENDING}",
    "bar": rf"(?:\[?[:|]+\]?)+(?:{_ENDING})?",
    "note": _NOTE + _LENGTH,
    "rest": rf"[zx]{_LENGTH}",
    "broken": r">{1,3}|<{1,3}",
    "tie": r"-",
    "slur": r"[()]",
    "decoration": r"![^!\n]*!|\+[^+\n]*\+|[~.!HIJKLMNOPQRSTUVWhijklmnopqrstuvw]",
    "spacer": r"\\[ \t]*(?:%[^\n]*)?\n|[*$`\\]|y\d*",
    "space": r"[ \t]+",
    "line": r"\n",
}
_TOKEN = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _KINDS.items()), re.MULTILINE)

# What a player adds to a melody: fingers, bows, slurs, ornaments, and words above the stave.
ADDED = frozenset({"comment", "grace", "annotation", "slur", "decoration"})
# The fields that change how notes are read; others name the tune, its parts or its words.
_READ = ("K:", "M:", "L:")


class AbcError(ValueError):
    """A text is no tune that can be read; `line` counts from 1 in that text."""

    def __init__(self, what: str, line: int) -> None:
        self.line = line
        super().__init__(what)


@dataclass(frozen=True)
class Token:
    """One sign of a tune's body, with the 1-based line that it stands on."""

    kind: str
    text: str
    line: int


def tokenize(body: str, first_line: int = 1) -> Iterator[Token]:
    """The tokens of a body in order; their texts, joined, are the body.

    Args:
        body: what follows the header.
        first_line: the number of its first line, for errors.

    Raises:
        AbcError: a character begins no token.
    """
    at, line = 0, first_line
    while at < len(body):
        match = _TOKEN.match(body, at)
        if match is None:
            raise AbcError(f"{body[at : at + 12]!r} is nothing that a tune's body may hold", line)
        yield Token(match.lastgroup or "", match[0], line)
        at, line = match.end(), line + match[0].count("\n")


def melody(body: str, first_line: int = 1) -> str:
    """A body without what a player adds, its white space in one form: the notes, lengths, bars and changes of key.

    Raises:
        AbcError: as `tokenize`.
    """
    text = "".join(token.text for token in tokenize(body, first_line) if _is_kept(token))
    lines = (re.sub(r" ?([:|\]]*\|[:|\]]*[1-9]?) ?", r"\1", " ".join(line.split())) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def _is_kept(token: Token) -> bool:
    if token.kind == "field":
        return token.text.lstrip("[").startswith(_READ)
    return token.kind != "spacer" and token.kind not in ADDED
