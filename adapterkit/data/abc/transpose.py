"""Move a tune to another key: the same intervals, the same lengths, another signature.

Letters move by as many steps as the tonic does, and a signature moves with its tonic, so a note without an accidental
needs none afterwards, and one with an accidental gets its own. That is exact on the line of fifths, in which an
interval is a number of fifths: 4 letters and 7 semitones each, less octaves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from adapterkit.data.abc.keys import LETTERS, Key
from adapterkit.data.abc.playing import ACCIDENTALS, PITCH, Bar, Sound, play
from adapterkit.data.abc.tokens import AbcError, Token, melody, tokenize
from adapterkit.data.abc.tune import Tune

_SIGNS = {amount: sign for sign, amount in ACCIDENTALS.items()}
_FIFTHS = {letter: fifths for fifths, letter in enumerate("FCGDAEB", start=-1)}
# Signatures that fiddles and pipes play from.
_FEWEST, _MOST = -3, 4


def keys_near(key: Key) -> tuple[int, ...]:
    """By how many fifths a tune in this key may move, other than by none: to three flats at most, or four sharps."""
    return tuple(by for by in range(_FEWEST - key.sharps, _MOST + 1 - key.sharps) if by)


def transpose(tune: Tune, fifths: int) -> Tune | None:
    """The tune so many fifths up, less octaves, so that it moves by six semitones at most.

    Args:
        tune: any tune; what a player added to it (ornaments, fingers, chords' names) is left out.
        fifths: 1 from G to D, -1 from G to C.

    Returns:
        The tune; None when it cannot be moved exactly: a key that is no plain one, a note that would need three sharps,
        or a signature of more than seven.
    """
    octaves = round(7 * fifths / 12)
    letters = 4 * fifths - 7 * octaves
    try:
        body = "".join(_moved(token, fifths, letters) for token in tokenize(melody(tune.body)))
        fields = tuple((name, _moved_key(value, fifths) if name == "K" else value) for name, value in tune.fields)
        moved = replace(tune, fields=fields, body=body)
        return moved if _differ_by(tune, moved, 7 * fifths - 12 * octaves) else None
    except (AbcError, KeyError):
        return None


def _moved(token: Token, fifths: int, letters: int) -> str:
    if token.kind in ("note", "chord"):
        return PITCH.sub(lambda match: _moved_note(match, fifths, letters), token.text)
    if token.kind == "field" and (match := re.fullmatch(r"(\[?K:)(.*?)(\]?)", token.text)):
        return f"{match[1]}{_moved_key(match[2], fifths)}{match[3]}"
    return token.text


def _moved_note(match: re.Match[str], fifths: int, letters: int) -> str:
    accidental, letter, octave, length = match.groups()
    octaves = letter.islower() + octave.count("'") - octave.count(",")
    height = 7 * octaves + LETTERS.index(letter.upper()) + letters
    name = LETTERS[height % 7]
    sign = ""
    if accidental:
        # Seven fifths are one sharp.
        place = _FIFTHS[letter.upper()] + 7 * ACCIDENTALS[accidental] + fifths
        sign = _SIGNS[(place - _FIFTHS[name]) // 7]
    above = height // 7
    written = name.lower() + "'" * (above - 1) if above >= 1 else name + "," * -above
    return f"{sign}{written}{length}"


def _moved_key(text: str, fifths: int) -> str:
    key = Key.parse(text)
    moved = replace(key, fifths=key.fifths + fifths) if key else None
    if moved is None or Key.parse(str(moved)) is None:
        raise AbcError(f"K:{text} cannot be moved", 1)
    return str(moved)


def _differ_by(tune: Tune, moved: Tune, semitones: int) -> bool:
    """Whether every sound of one is the other's, so many semitones apart, and every bar line stands where it stood."""

    def up(event: Sound | Bar) -> Sound | Bar:
        if isinstance(event, Bar):
            return event
        return replace(event, pitches=tuple(pitch + semitones for pitch in event.pitches))

    def played(each: Tune) -> Iterator[Sound | Bar]:
        return iter(play(each))

    return [up(event) for event in played(tune)] == list(played(moved))
