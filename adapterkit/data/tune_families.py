"""Which tunes are variants of one another: the same title, or half of the melody, in whatever key."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from itertools import pairwise

from adapterkit.data.abc.keys import LETTERS
from adapterkit.data.whole_pieces import alike

_NOTE = re.compile(r"([A-Ga-g])([,']*)")
_OTHER_THAN_NOTES = re.compile(r"^[A-Za-z]:.*$|\[[A-Za-z]:[^\]]*\]", re.MULTILINE)
_KIND = re.compile(r"\b(?:(?:slip|double|single) ?jig|jig|reel|hornpipe|strathspey|clog|the|a|an|no|\d+|1st|2nd|3rd)\b")
# Ten steps are about two bars: who shares half of those shares half of the tune.
_STEPS, _SHARED = 10, 0.5


def family_links(tunes: Sequence[tuple[str, str]]) -> list[list[Hashable]]:
    """What ties each tune to its variants, as `gather` takes it.

    Args:
        tunes: for each its title, empty for none, and its text as `Tune.plain` gives it.
    """
    links: list[list[Hashable]] = [[f"title {title}"] if (title := _title(name)) else [] for name, _ in tunes]
    for own, melodies in zip(links, alike([_shape(text) for _, text in tunes], share=_SHARED), strict=True):
        own.extend(melodies)
    return links


def _title(title: str) -> str:
    """A title without its kind of dance, articles, numbers and punctuation: what variants have in common."""
    words = re.sub(r"[^a-z0-9 ]", "", title.casefold().replace("-", " "))
    return " ".join(_KIND.sub(" ", words).split())


def _shape(text: str) -> frozenset[Hashable]:
    """Every run of ten steps from note to note: the same in every key, and with other lengths."""
    melody = _OTHER_THAN_NOTES.sub("", text)
    heights = [
        7 * (letter.islower() + octave.count("'") - octave.count(",")) + LETTERS.index(letter.upper())
        for letter, octave in _NOTE.findall(melody)
    ]
    steps = [after - before for before, after in pairwise(heights)]
    return frozenset(tuple(steps[at : at + _STEPS]) for at in range(len(steps) - _STEPS + 1))
