"""The one list of readers, and the way from a data config to rows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

from adapterkit.config.schema import DataConfig
from adapterkit.data.augment import augment, check_augmentations
from adapterkit.data.code_review import read_code_review
from adapterkit.data.conversation import Conversation
from adapterkit.data.documents import read_documents
from adapterkit.data.files import file_personas, read_files, require_files
from adapterkit.data.functions import read_algorithms, read_functions
from adapterkit.data.grounded import read_grounded
from adapterkit.data.module_imports import read_module_imports
from adapterkit.data.presidents import president_names, read_presidents
from adapterkit.data.replaying import with_replay
from adapterkit.data.row_views import with_system_turn
from adapterkit.data.said import SHAPES
from adapterkit.data.sampling import thin
from adapterkit.data.session_dance import read_session_dance
from adapterkit.data.shakespeare import read_shakespeare, shakespeare_names
from adapterkit.data.splits import Splits
from adapterkit.data.style_pack import chosen_style, read_style_pack
from adapterkit.data.synthetic.reading import read_synthetic
from adapterkit.data.voiceless import voiceless, voiceless_package
from adapterkit.data.weaknesses import read_weakness_questions
from adapterkit.errors import UnknownNameError, UsageError
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
    **{name: partial(read_files, shape=shape) for name, shape in SHAPES.items()},
    "session_dance": read_session_dance,
    "style_pack": read_style_pack,
    "grounded": voiceless(read_grounded),
    "documents": voiceless(read_documents),
    "functions": voiceless(read_functions),
    "algorithms": voiceless_package(read_algorithms),
    "code_review": voiceless(read_code_review),
    "weaknesses": voiceless_package(read_weakness_questions),
    "module_imports": voiceless(read_module_imports),
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
# What a reader finds out about its names without reading what the training will read again: corpora keep their rows.
_NAMED: dict[str, Callable[[DataConfig, str | None], object]] = {
    **{name: READERS[name] for name in ("presidents", "shakespeare", "session_dance")},
    **dict.fromkeys(SHAPES, require_files),
    "style_pack": chosen_style,
}
# Those whose data has styles, which data.style chooses among.
STYLED = ("session_dance", "style_pack")

# The others have none.
PERSONAS: dict[str, Callable[[DataConfig], tuple[str, ...]]] = {
    "presidents": lambda config: president_names(config.install),
    "shakespeare": lambda config: shakespeare_names(config.install),
    **{name: partial(file_personas, shape=shape) for name, shape in SHAPES.items()},
}


def check_named(config: DataConfig, persona: str | None) -> None:
    """Refuse a file, a corpus, a persona or a style that is not there, in less time than a base's libraries import.

    What is found in a file's rows alone, such as whom they name, is known when they are read.

    Raises:
        AdapterKitError: as `read_splits`.
    """
    _check_reader(config.reader)
    if config.reader in _NAMED:
        _NAMED[config.reader](config, persona)


def read_splits(config: DataConfig, persona: str | None) -> Splits:
    """Read the rows that a data config means, for one persona or (null) for what all personas share.

    Raises:
        UnknownNameError: the reader or the persona is unknown.
        MissingExtraError: the corpus is not installed.
        DataError: the rows cannot be used.
        UsageError: the config asks for what the reader cannot do.
    """
    _check_reader(config.reader)
    check_augmentations(config.augment)
    if config.style is not None and config.reader not in STYLED:
        raise UsageError(
            f"data={config.reader} has no styles, but data.style={config.style}. Leave it out, or take data that has: "
            f"data={' or data='.join(STYLED)}"
        )
    splits = READERS[config.reader](config, persona)
    train = _thinned("train", splits.train, config.max_train_rows)
    if config.augment:
        train = augment(train, config.augment, config.seed, (*splits.validation, *splits.test))
    splits = replace(
        splits,
        train=_finish(train, config.system),
        validation=_finish(_thinned("validation", splits.validation, config.max_validation_rows), config.system),
        test=_finish(_thinned("test", splits.test, config.max_test_rows), config.system),
    )
    return splits if config.replay is None else with_replay(splits, Path(config.replay), config.replay_share)


def list_personas(config: DataConfig) -> tuple[str, ...]:
    """The names that `persona` may take with this data and that leave rows to train on; none where nobody speaks.

    Raises:
        UnknownNameError: the reader is unknown.
        MissingExtraError: the corpus is not installed.
        DataError: the file cannot be used.
        UsageError: a reader of files was given none.
    """
    _check_reader(config.reader)
    return PERSONAS[config.reader](config) if config.reader in PERSONAS else ()


def _check_reader(name: str) -> None:
    if name not in READERS:
        raise UnknownNameError(
            "data reader", name, nearest(name, READERS), hint=f"The readers are {', '.join(READERS)}."
        )


def _thinned(split: str, rows: Sequence[Conversation], limit: int | None) -> Sequence[Conversation]:
    kept = thin(rows, limit)
    if len(kept) < len(rows):
        _log.info("data.max_%s_rows: %d of %d rows", split, len(kept), len(rows))
    return kept


def _finish(rows: Sequence[Conversation], system: str | None) -> Sequence[Conversation]:
    return rows if system is None else with_system_turn(rows, system)
