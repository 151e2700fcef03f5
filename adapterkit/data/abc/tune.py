"""One ABC tune: its header fields and its body; and a file's tunes one by one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from adapterkit.data.abc.tokens import AbcError, melody

_FIELD = re.compile(r"([A-Za-z]):(.*)")
_START = re.compile(r"^(?=X:)", re.MULTILINE)
_METRE = re.compile(r"([1-9]\d?)/([1-9]\d?)")
_UNIT = re.compile(r"1(?:/([1-9]\d{0,2}))?")
_COMMENT = re.compile(r"(?<!\\)%.*")


@dataclass(frozen=True)
class Tune:
    """A tune as it stands in a text.

    Attributes:
        fields: the header's fields in order, letter and value.
        body: everything behind the header.
        line: the 1-based line of the text on which the tune begins.
        body_line: that on which its body begins.
    """

    fields: tuple[tuple[str, str], ...]
    body: str
    line: int = 1
    body_line: int = 1

    def first(self, letter: str) -> str:
        """The first value of a field that says something; empty when there is none."""
        return next((value for name, value in self.fields if name == letter and value), "")

    @property
    def plain(self) -> str:
        """Metre, unit length, key and melody: what makes the tune, and nothing that names it.

        Raises:
            AbcError: the body cannot be read, or key or metre is missing.
        """
        metre, key = self.first("M"), self.first("K")
        if not metre or not key:
            raise AbcError(f"The tune has no {'M: (metre)' if not metre else 'K: (key)'}", self.line)
        unit = self.first("L") or f"1/{default_unit(metre).denominator}"
        return f"M:{metre}\nL:{unit}\nK:{key}\n{melody(self.body, self.body_line)}"


def split_tunes(text: str) -> Iterator[Tune]:
    """The tunes of a file, each from its `X:` on; what stands before the first belongs to none.

    Raises:
        AbcError: a tune has no `K:`, which ends its header.
    """
    line = 1
    for part in _START.split(text.replace("\r\n", "\n")):
        if part.startswith("X:"):
            yield parse_tune(part, line)
        line += part.count("\n")


def parse_tune(text: str, line: int = 1) -> Tune:
    """One tune, with `X:` or without; the header ends with the first `K:`, the tune with an empty line.

    Args:
        text: the tune.
        line: the number of its first line, for errors.

    Raises:
        AbcError: a header line is no field, or there is no `K:`.
    """
    fields: list[tuple[str, str]] = []
    lines = text.split("\n")
    for number, each in enumerate(lines):
        bare = _COMMENT.sub("", each).strip()
        if not bare:
            continue
        match = _FIELD.fullmatch(bare)
        if match is None:
            raise AbcError(f"{each[:40]!r} stands in the header and is no field such as M:6/8", line + number)
        fields.append((match[1], match[2].strip()))
        if match[1] == "K":
            body = "\n".join(lines[number + 1 :]).lstrip("\n")
            skipped = len("\n".join(lines[number + 1 :])) - len(body)
            body = re.split(r"\n[ \t]*\n", body, maxsplit=1)[0].rstrip()
            return Tune(tuple(fields), body, line, line + number + 1 + skipped)
    raise AbcError("The tune has no K: (key), which ends the header", line)


def parse_metre(text: str) -> Fraction | None:
    """The length of a bar in whole notes; None for free metre and what is none."""
    text = text.strip()
    if text in ("C", "C|"):
        return Fraction(1)
    match = _METRE.fullmatch(text)
    return Fraction(int(match[1]), int(match[2])) if match else None


def is_compound(text: str) -> bool:
    """Whether beats are divided in three: 6/8, 9/8, 12/8."""
    match = _METRE.fullmatch(text.strip())
    return match is not None and int(match[1]) % 3 == 0 and int(match[1]) > 3


def parse_unit(text: str) -> Fraction | None:
    """The length that a note without a number has, in whole notes."""
    match = _UNIT.fullmatch(text.strip())
    return Fraction(1, int(match[1] or 1)) if match else None


def default_unit(metre: str) -> Fraction:
    """What the unit is where no `L:` says it (ABC 2.1, section 3.1.7)."""
    bar = parse_metre(metre)
    return Fraction(1, 16) if bar is not None and bar < Fraction(3, 4) else Fraction(1, 8)
