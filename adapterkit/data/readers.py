"""The one list of readers, and the way from a data config to rows."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from adapterkit.config.schema import DataConfig
from adapterkit.data.chat import chat_names, read_chat
from adapterkit.data.conversation import Conversation, Splits, Turn
from adapterkit.data.presidents import president_names, read_presidents
from adapterkit.data.sampling import thin
from adapterkit.data.shakespeare import read_shakespeare, shakespeare_names
from adapterkit.data.synthetic.reading import read_synthetic
from adapterkit.errors import UnknownNameError
from adapterkit.names import nearest

_log = logging.getLogger(__name__)


Reader = Callable[[DataConfig, str | None], Splits]


class CorpusReader(Protocol):
    """A reader of flat arguments."""

    def __call__(
        self,
        *,
        persona: str | None,
        train: str | None,
        validation: str | None,
        test: str | None,
        prompt: str | None,
        install: str | None,
    ) -> Splits:
        """Read the three splits of one persona, or of all of them."""
        ...


def _flat(read: CorpusReader) -> Reader:
    return lambda config, persona: read(
        persona=persona,
        train=config.train,
        validation=config.validation,
        test=config.test,
        prompt=config.prompt,
        install=config.install,
    )


READERS: dict[str, Reader] = {
    "presidents": _flat(read_presidents),
    "shakespeare": _flat(read_shakespeare),
    "chat": _flat(read_chat),
    "synthetic": lambda config, persona: read_synthetic(
        task=config.task,
        rows=config.rows,
        seed=config.seed,
        persona=persona,
        train=config.train,
        validation=config.validation,
        test=config.test,
        prompt=config.prompt,
    ),
}

PERSONAS: dict[str, Callable[[DataConfig], tuple[str, ...]]] = {
    "presidents": lambda config: president_names(config.install),
    "shakespeare": lambda config: shakespeare_names(config.install),
    "chat": lambda config: chat_names(config.train, config.validation, config.test),
    "synthetic": lambda config: (),
}


def read_splits(config: DataConfig, persona: str | None) -> Splits:
    """Read the rows that a data config means, for one persona or (null) for what all personas share.

    Raises:
        UnknownNameError: the reader or the persona is unknown.
        MissingExtraError: the corpus is not installed.
        DataError: the rows cannot be used.
        UsageError: the config asks for what the reader cannot do.
    """
    _check_reader(config.reader)
    splits = READERS[config.reader](config, persona)
    return replace(
        splits,
        train=_finish("train", splits.train, config.max_train_rows, config.system),
        validation=_finish("validation", splits.validation, config.max_validation_rows, config.system),
        test=_finish("test", splits.test, config.max_test_rows, config.system),
    )


def list_personas(config: DataConfig) -> tuple[str, ...]:
    """The names that `persona` may take with this data and that leave rows to train on.

    Raises:
        UnknownNameError: the reader is unknown.
        MissingExtraError: the corpus is not installed.
        DataError: the file cannot be used.
        UsageError: a reader of files was given none.
    """
    _check_reader(config.reader)
    return PERSONAS[config.reader](config)


def _check_reader(name: str) -> None:
    if name not in READERS:
        raise UnknownNameError(
            "data reader", name, nearest(name, READERS), hint=f"The readers are {', '.join(READERS)}."
        )


def _finish(
    split: str, rows: tuple[Conversation, ...], limit: int | None, system: str | None
) -> tuple[Conversation, ...]:
    kept = thin(rows, limit)
    if len(kept) < len(rows):
        _log.info("data.max_%s_rows: %d of %d rows", split, len(kept), len(rows))
    if system is None:
        return kept
    return tuple(row if row.turns[0].role == "system" else _with_system(row, system) for row in kept)


def _with_system(row: Conversation, system: str) -> Conversation:
    return replace(row, turns=(Turn("system", system), *row.turns))
