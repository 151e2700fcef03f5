"""Styles from dance tunes as they are played at sessions: reels, jigs, hornpipes, slip jigs, strathspeys, in ABC."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from adapterkit.config.schema import DataConfig
from adapterkit.data.conversation import Conversation, Origin, Turn
from adapterkit.data.corpora import check_splits_itself, corpus_folder, corpus_label, corpus_origin
from adapterkit.data.dance_tunes import STYLES, DanceTune, read_dance_tunes
from adapterkit.data.leaks import apart
from adapterkit.data.splits import SPLITS, Splits
from adapterkit.data.whole_pieces import split_pieces
from adapterkit.errors import UnknownNameError, UsageError
from adapterkit.names import nearest

PROMPT = "Write a dance tune for a session, in ABC notation."
INSTALL = "pip install 'adapterkit[styles]'"


def read_session_dance(config: DataConfig, persona: str | None) -> Splits:
    """Tunes of one style (`style`, such as `slip_jig`), or of all of them.

    A row is one fixed prompt and one tune: metre, unit, key and melody. Nothing in it names the style: titles (which
    say "Reel") and the rhythm field are left out, so a style has to be heard. Tunes of one title, and tunes that share
    half of their melody, go to one split; it is the same split for a style and for all of them together.

    Args:
        config: of it `style`, `prompt` (null: one that names no style), `train`, `validation`, `test` and `install`.
        persona: null.

    Raises:
        MissingExtraError: the corpus is not installed.
        UnknownNameError: there is no such style.
        UsageError: files or a persona were given.
    """
    if persona is not None:
        raise UsageError(f"data=session_dance has styles and no personas: data.style={persona}")
    check_splits_itself("session_dance", train=config.train, validation=config.validation, test=config.test)
    style = resolve_style(config.style) if config.style is not None else None
    rows = _rows_by_split(read_dance_tunes(_folder(config.install)), PROMPT if config.prompt is None else config.prompt)
    own = {name: _of(style, part) for name, part in rows.items()}
    return Splits.chosen(
        own,
        validation=config.validation,
        test=config.test,
        source=f"{corpus_label('music21')}, {style or 'every style'}",
        origins=corpus_origin("music21"),
    )


def resolve_style(style: str) -> str:
    """The style that is meant, whatever its case and punctuation.

    Raises:
        UnknownNameError: there is none of that name.
    """
    name = re.sub(r"[^a-z0-9]+", "_", style.casefold()).strip("_")
    if name not in STYLES:
        close = nearest(name, STYLES)
        raise UnknownNameError("style", style, close, hint=f"The styles are {', '.join(STYLES)}; null: all of them.")
    return name


@lru_cache(maxsize=2)
def _rows_by_split(tunes: tuple[DanceTune, ...], prompt: str) -> dict[str, tuple[Conversation, ...]]:
    chosen = _splits_of_families(tunes)
    rows: dict[str, list[Conversation]] = {name: [] for name in SPLITS}
    for tune in tunes:
        origin = Origin(path=tune.path, line=tune.line, label=tune.style, strata=(tune.style,))
        rows[chosen[tune.family]].append(Conversation((Turn("user", prompt), Turn("assistant", tune.text)), origin))
    return apart(rows)


def _splits_of_families(tunes: Sequence[DanceTune]) -> dict[int, str]:
    """An eighth of the families of each style; a family counts where its first tune does."""
    families: dict[int, list[str]] = {}
    home: dict[int, str] = {}
    for tune in tunes:
        families.setdefault(tune.family, []).append(tune.text)
        home.setdefault(tune.family, tune.style)
    chosen: dict[int, str] = {}
    for style in STYLES:
        own = {family: texts for family, texts in families.items() if home[family] == style}
        chosen.update(split_pieces(own))
    return chosen


def _of(style: str | None, rows: Sequence[Conversation]) -> tuple[Conversation, ...]:
    return tuple(row for row in rows if style is None or row.origin.strata[0] == style)


def _folder(install: str | None) -> Path:
    return corpus_folder("music21", "corpus", purpose="dance tunes in ABC", install=install or INSTALL)
