"""Which of the plays' speakers are personas, and what each is called."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from adapterkit.data.plays import Speech
from adapterkit.errors import UnknownNameError
from adapterkit.names import nearest

FEWEST_SPEECHES = 20

# One name in several plays is several characters (Antonio, Helena, five men called Gloucester), but for these.
_HENRY_IV = ("histories/henry-iv-part-1", "histories/henry-iv-part-2")
_COMPANY = ("comedies/the-merry-wives-of-windsor", *_HENRY_IV, "histories/henry-v")
_HENRY_VI = tuple(f"histories/henry-vi-part-{part}" for part in (1, 2, 3))
_ONE_CHARACTER: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("FALSTAFF", "BARDOLPH", "PISTOL", "NYM", "SHALLOW", "MISTRESS QUICKLY"), _COMPANY),
    **dict.fromkeys(("KING HENRY IV", "PRINCE HENRY", "POINS"), _HENRY_IV),
    "KING HENRY VI": _HENRY_VI,
    "QUEEN MARGARET": (*_HENRY_VI, "histories/richard-iii"),
}


@dataclass(frozen=True)
class Voice:
    """One character: a speaker's name, and the plays in which it means this one."""

    speaker: str
    plays: tuple[str, ...]

    @property
    def full_id(self) -> str:
        """The name with its first play, such as `antonio_merchant-of-venice`."""
        title = re.sub(r"^(?:the|a)-", "", self.plays[0].rpartition("/")[2])
        return f"{plain(self.speaker)}_{title}"

    def speaks(self, strata: tuple[str, ...]) -> bool:
        """Whether a row's strata, its play and its speaker, are this character's."""
        play, speaker = strata
        return speaker == self.speaker and play in self.plays


def plain(name: str) -> str:
    """Small letters and dashes: `Prince Henry` and `prince_henry` both become `prince-henry`."""
    return re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")


def find_voices(speeches: Iterable[Speech]) -> dict[str, Voice]:
    """Every character of 20 speeches or more by its id.

    The id is the bare name when only one such character bears it, and the name with the play otherwise.
    """
    counts = Counter(_voice(speech) for speech in speeches if speech.named)
    kept = [voice for voice, count in counts.items() if count >= FEWEST_SPEECHES]
    bearers = Counter(voice.speaker for voice in kept)
    named = {plain(voice.speaker) if bearers[voice.speaker] == 1 else voice.full_id: voice for voice in kept}
    return {name: named[name] for name in sorted(named)}


def resolve_voice(persona: str, voices: Mapping[str, Voice], speeches: Sequence[Speech]) -> str:
    """The id of the character that is meant; the form with the play is always accepted.

    Raises:
        UnknownNameError: no character bears the name, several do, or the one who does hardly speaks.
    """
    wanted = plain(persona)
    for name, voice in voices.items():
        if wanted in (plain(name), plain(voice.full_id)):
            return name
    same = [name for name, voice in voices.items() if plain(voice.speaker) == wanted]
    if same:
        raise UnknownNameError(
            "persona", persona, same, hint="Characters of several plays bear that name; use one of these."
        )
    spoken = sum(plain(speech.speaker) == wanted and speech.named for speech in speeches)
    hint = f"That speaker has {spoken} speeches; a persona needs {FEWEST_SPEECHES} in one play." if spoken else ""
    raise UnknownNameError("persona", persona, nearest(wanted, voices), hint=hint)


def _voice(speech: Speech) -> Voice:
    plays = _ONE_CHARACTER.get(speech.speaker, ())
    return Voice(speech.speaker, plays if speech.play in plays else (speech.play,))
