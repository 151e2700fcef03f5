"""What a tune sounds like: pitches and exact lengths, with the bar lines between them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from adapterkit.data.abc.keys import LETTERS, Key
from adapterkit.data.abc.tokens import AbcError, Token, tokenize
from adapterkit.data.abc.tune import Tune, default_unit, is_compound, parse_metre, parse_unit

_NATURAL = dict(zip(LETTERS, (0, 2, 4, 5, 7, 9, 11), strict=True))
ACCIDENTALS = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}
PITCH = re.compile(r"(\^{1,2}|_{1,2}|=)?([A-Ga-g])([,']*)(\d{0,3}(?:/{1,4}\d{0,3})?)")
_TUPLETS = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}


@dataclass(frozen=True)
class Sound:
    """Notes that sound together, or a rest.

    Attributes:
        pitches: in semitones, middle C is 60; empty for a rest.
        length: in whole notes.
    """

    pitches: tuple[int, ...]
    length: Fraction


@dataclass(frozen=True)
class Bar:
    """A bar line.

    Attributes:
        ends_part: a double line or a repeat.
        ending: a first or second ending begins here.
        full: how long the bars behind it should be, in whole notes; None: nobody knows.
    """

    ends_part: bool
    ending: bool
    full: Fraction | None


@dataclass
class _State:
    """What holds at one place of a tune."""

    key: Key
    metre: str
    unit: Fraction
    in_bar: dict[str, int] = field(default_factory=dict)
    tuplet: tuple[Fraction, int] = (Fraction(1), 0)


def play(tune: Tune) -> list[Sound | Bar]:
    """Sounds and bar lines in the order they are written; repeats are not played twice.

    An accidental holds to the end of its bar, for its letter in every octave (ABC 2.1's default).

    Raises:
        AbcError: the body cannot be read, or a key, metre or unit is none.
    """
    metre = tune.first("M")
    state = _State(_key(tune.first("K"), tune.line), metre, default_unit(metre))
    if unit := tune.first("L"):
        state.unit = _unit(unit, tune.line)
    played: list[Sound | Bar] = [Bar(True, False, parse_metre(metre))]
    broken: Fraction | None = None
    for token in tokenize(tune.body, tune.body_line):
        for event in _events(token, state):
            if isinstance(event, Sound) and broken is not None:
                event, broken = replace(event, length=event.length * broken), None
            played.append(event)
        if token.kind == "broken":
            played[-1], broken = _lengthened(played[-1], token), _short_side(token)
    return played


def _events(token: Token, state: _State) -> Iterator[Sound | Bar]:
    if token.kind == "note":
        yield _sound([token.text], "", state)
    elif token.kind == "chord":
        inside, _, length = token.text[1:].partition("]")
        yield _sound([match[0] for match in PITCH.finditer(inside)], length, state)
    elif token.kind == "rest":
        yield _sound([], token.text[1:], state)
    elif token.kind == "tuplet":
        state.tuplet = _tuplet(token, state.metre)
    elif token.kind in ("bar", "ending"):
        state.in_bar.clear()
        lines = token.text.rstrip("123456789,-")
        strong = token.kind == "bar" and (":" in lines or len(lines) > 1)
        yield Bar(strong, token.kind == "ending" or lines != token.text, parse_metre(state.metre))
    elif token.kind == "field":
        _change(token, state)
        if token.text.lstrip("[").startswith("M"):
            yield Bar(False, False, parse_metre(state.metre))


def _sound(notes: Sequence[str], length: str, state: _State) -> Sound:
    matches = [match for note in notes if (match := PITCH.fullmatch(note))]
    pitches = tuple(_pitch(match, state) for match in matches)
    factor = _length(matches[0][4]) if matches else Fraction(1)
    ratio, left = state.tuplet
    state.tuplet = (ratio, left - 1) if left > 1 else (Fraction(1), 0)
    return Sound(pitches, state.unit * factor * _length(length) * ratio)


def _pitch(match: re.Match[str], state: _State) -> int:
    accidental, letter, octave, _ = match.groups()
    name = letter.upper()
    if accidental:
        state.in_bar[name] = ACCIDENTALS[accidental]
    alteration = state.in_bar.get(name, state.key.alteration(name))
    octaves = letter.islower() + octave.count("'") - octave.count(",")
    return 60 + 12 * octaves + _NATURAL[name] + alteration


def _length(text: str) -> Fraction:
    """`3/2`, `/`, `//`, `2`: the factor that a note's number means."""
    number, slash, below = text.partition("/")
    if not slash:
        return Fraction(int(number or 1) or 1)
    halves = 1 + len(below) - len(below.lstrip("/"))
    divisor = below.lstrip("/")
    return Fraction(int(number or 1), (int(divisor) or 1) if divisor else 2**halves)


def _tuplet(token: Token, metre: str) -> tuple[Fraction, int]:
    """The factor, and of how many notes: `(3` is three in the time of two."""
    parts = [int(part) if part else None for part in token.text[1:].split(":")]
    notes = parts[0] or 1
    time = parts[1] if len(parts) > 1 else None
    count = parts[2] if len(parts) > 2 else None
    return Fraction(time or _TUPLETS.get(notes, 3 if is_compound(metre) else 2), notes), count or notes


def _lengthened(last: Sound | Bar, token: Token) -> Sound:
    if isinstance(last, Bar):
        raise AbcError(f"{token.text} stands behind no note", token.line)
    part = Fraction(1, 2 ** len(token.text))
    return replace(last, length=last.length * (2 - part if token.text[0] == ">" else part))


def _short_side(token: Token) -> Fraction:
    part = Fraction(1, 2 ** len(token.text))
    return part if token.text[0] == ">" else 2 - part


def _change(token: Token, state: _State) -> None:
    letter, _, value = token.text.strip("[]").partition(":")
    value = value.partition("%")[0].strip()
    if letter == "K":
        state.key = _key(value, token.line)
        state.in_bar.clear()
    elif letter == "M":
        state.metre = value
    elif letter == "L":
        state.unit = _unit(value, token.line)


def _key(text: str, line: int) -> Key:
    if (key := Key.parse(text)) is None:
        raise AbcError(f"K:{text[:20]} is no plain key such as G, Am or Dmix", line)
    return key


def _unit(text: str, line: int) -> Fraction:
    if (unit := parse_unit(text)) is None:
        raise AbcError(f"L:{text[:20]} is no unit length such as 1/8", line)
    return unit
