"""Keys as a `K:` field writes them, and what their signatures do to each letter."""

from __future__ import annotations

import re
from dataclasses import dataclass

LETTERS = "CDEFGAB"
# The line of fifths, on which a sharp is seven steps up: a key's place on it says all about its spelling.
_FIFTHS = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5}
_SHARPS = "FCGDAEB"
# By how many sharps each mode's signature differs from that of the major key on the same note.
_MODES = {
    "": 0,
    "maj": 0,
    "ion": 0,
    "m": -3,
    "min": -3,
    "aeo": -3,
    "mix": -1,
    "dor": -2,
    "phr": -4,
    "lyd": 1,
    "loc": -5,
}
_KEY = re.compile(r"([A-G])([#b]?)[ \t]*([A-Za-z]*)")
MOST_SHARPS = 7


@dataclass(frozen=True)
class Key:
    """A tonic and a mode.

    Attributes:
        fifths: the tonic's place on the line of fifths: C is 0, G 1, F -1.
        mode: as the tune writes it; empty for major.
    """

    fifths: int
    mode: str

    @classmethod
    def parse(cls, text: str) -> Key | None:
        """Read what follows `K:`; None for what is no plain key (pipes, signatures of their own, clefs)."""
        match = _KEY.fullmatch(text.strip())
        # `M` alone is read as major by some programs and as minor by others.
        if match is None or _mode(match[3]) not in _MODES or match[3] == "M":
            return None
        key = cls(_FIFTHS[match[1]] + 7 * {"#": 1, "b": -1}.get(match[2], 0), match[3])
        return key if abs(key.sharps) <= MOST_SHARPS else None

    @property
    def sharps(self) -> int:
        """How many sharps the signature has; flats are below zero."""
        return self.fifths + _MODES[_mode(self.mode)]

    def alteration(self, letter: str) -> int:
        """By how many semitones the signature moves a letter, -1, 0 or 1."""
        if self.sharps >= 0:
            return int(letter in _SHARPS[: self.sharps])
        return -int(letter in _SHARPS[self.sharps :])

    def __str__(self) -> str:
        sign = (self.fifths + 1) // 7
        letter = _SHARPS[(self.fifths + 1) % 7]
        return f"{letter}{'#' * sign if sign > 0 else 'b' * -sign}{self.mode}"


def _mode(written: str) -> str:
    """The first three letters say which mode is meant, in whatever case."""
    return written.lower()[:3]
