"""Splits from one's own files: where they are, what is set aside, who is held out, and whose rows are taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from adapterkit.config.choices import QUARANTINE
from adapterkit.config.schema import DataConfig
from adapterkit.data.conversation import Conversation
from adapterkit.data.duplicates import settle_duplicates
from adapterkit.data.file_rows import FileRows, index_rows
from adapterkit.data.jsonl import LINE_LIMIT
from adapterkit.data.quarantine import BadRows
from adapterkit.data.row_views import RowView, chosen, persona_of_rows
from adapterkit.data.said import Shape
from adapterkit.data.sources import SUFFIXES, Source, check_file, open_source, spooled
from adapterkit.data.splits import Splits
from adapterkit.data.splits_file import SplitsFile, read_splits_file
from adapterkit.data.tables import dataset_lines
from adapterkit.digest import sha256_file
from adapterkit.errors import DataError, UnknownNameError, UsageError
from adapterkit.names import nearest
from adapterkit.texts import excerpt, number_and_names

DATASETS = "datasets:"


def read_files(config: DataConfig, persona: str | None, shape: Shape) -> Splits:
    """Rows from up to three sources, or from one that a splits file divides.

    Args:
        config: `train`, `validation` and `test` are each a file, a folder, a pattern such as `rows/*.jsonl`, or an
            address `datasets:NAME`; null for none.
        persona: keep the rows whose `persona` is this; null keeps all. Files in which no row names a persona are kept
            whole.
        shape: makes a conversation of a row's object.

    Raises:
        DataError: a file cannot be used, or a conversation to train on is held out too.
        UnknownNameError: rows name personas, and none of them is this one.
        UsageError: no training file was given, a file is `auto`, or a prompt was given.
    """
    places = _places(config)
    bad = BadRows(config.on_bad_row == QUARANTINE, config.max_bad_ratio, config.quarantine)
    rows = {split: index_rows(_sources(split, at, bad.quarantined), shape, bad) for split, at in places.items()}
    origins = {f"file:{path}": sha256_file(path) for at in places.values() for path in at if isinstance(path, Path)}
    if config.splits is not None:
        divided = read_splits_file(Path(config.splits))
        origins[f"file:{config.splits}"] = sha256_file(Path(config.splits))
        parts = settle_duplicates(_divided(rows["train"], divided, None), config.near_duplicates)
        if persona is not None:
            parts = _only(parts, _divided(rows["train"], divided, persona))
    else:
        parts = settle_duplicates(rows, config.near_duplicates)
        if persona is not None:
            _check_persona(persona, list(rows.values()))
            parts = {split: _of(persona, part) for split, part in parts.items()}
    if not parts["train"]:
        raise DataError(_nothing_left(config, persona), path=config.train)
    source = str(config.train) + (f", {persona}" if persona else "")
    return Splits(parts["train"], parts.get("validation", ()), parts.get("test", ()), source, origins)


def require_files(config: DataConfig, persona: str | None) -> None:
    """Demand that the files are there; their rows, and so the persona, are not looked at.

    Raises:
        DataError: one is missing, or is no file.
        UsageError: as `read_files`.
    """
    places = [place for at in _places(config).values() for place in at]
    for place in [*places, *([Path(config.splits)] if config.splits is not None else [])]:
        if isinstance(place, Path):
            check_file(place)


def _nothing_left(config: DataConfig, persona: str | None) -> str:
    if config.splits is None:
        return f"No row is for persona '{persona}', though another file has some."
    whose = f" of persona '{persona}'" if persona else ""
    return (
        f"Of the rows{whose} that {config.splits} names to train on, none is left: all were set aside or stand twice."
    )


def file_personas(config: DataConfig, shape: Shape) -> tuple[str, ...]:
    """The personas of the splits file, or those that the training rows name, sorted; none when no row names one.

    Raises:
        DataError: a file cannot be used.
        UsageError: no training file was given.
    """
    places = _places(config)
    if config.splits is not None:
        return tuple(sorted(read_splits_file(Path(config.splits)).personas))
    bad = BadRows(config.on_bad_row == QUARANTINE, config.max_bad_ratio, config.quarantine)
    rows = index_rows(_sources("train", places["train"], bad.quarantined), shape, bad)
    return tuple(sorted(rows.where.names[1:]))


def _places(config: DataConfig) -> dict[str, list[Path | str]]:
    """For each split the files that it is read from, or an address."""
    given = {"train": config.train, "validation": config.validation, "test": config.test}
    reader = config.reader
    for split, value in given.items():
        if value == "auto" and split != "train":
            raise UsageError(
                f"data={reader} splits nothing by itself: give data.{split}=FILE, or data.{split}=null for none."
            )
        if value is not None and not value.strip():
            raise UsageError(f"data.{split} is empty: give data.{split}=FILE, or data.{split}=null for none.")
    if config.train in (None, "auto"):
        raise UsageError(f"data={reader} needs a file to train on: data={reader} data.train=FILE.jsonl")
    if config.prompt is not None:
        raise UsageError(
            f"data={reader} takes no data.prompt: the rows bring their own. For a fixed instruction set data.system."
        )
    if config.splits is not None and (config.validation is not None or config.test is not None):
        raise UsageError(
            "data.splits divides the rows of data.train: leave data.validation and data.test null, or data.splits."
        )
    return {split: _located(value) for split, value in given.items() if value is not None}


def _located(value: str) -> list[Path | str]:
    """The files of a place, in the order of their names, however the disk lists them."""
    if value.startswith(DATASETS):
        return [value]
    try:
        return _found(Path(value), value)
    except (OSError, ValueError) as error:
        # A name too long, a folder that may not be listed, `**` beside other letters.
        raise DataError(f"No file can be looked for here: {error}.", path=excerpt(value)) from error


def _found(path: Path, value: str) -> list[Path | str]:
    if path.is_dir():
        found: list[Path] = [each for each in path.rglob("*") if each.name.endswith(SUFFIXES) and each.is_file()]
        if not found:
            raise DataError(f"This is a directory without a {' or '.join(SUFFIXES)} file.", path=path)
        found.sort(key=lambda each: each.relative_to(path).as_posix())
        return [*found]
    if any(letter in value for letter in "*?[") and not path.exists():
        matching = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))), key=lambda each: each.as_posix())
        if not matching:
            raise DataError("No file matches this pattern.", path=path)
        return list(matching)
    return [path]


def _sources(split: str, places: Sequence[Path | str], skip: bool) -> list[Source]:
    return [
        open_source(place, limit=LINE_LIMIT, skip=skip)
        if isinstance(place, Path)
        else spooled(place, dataset_lines(place, split))
        for place in places
    ]


def _divided(rows: FileRows, splits: SplitsFile, persona: str | None) -> dict[str, Sequence[Conversation]]:
    return {split: chosen(rows, splits.indices(rows, persona, split)) for split in ("train", "validation", "test")}


def _only(
    parts: Mapping[str, Sequence[Conversation]], own: Mapping[str, Sequence[Conversation]]
) -> dict[str, Sequence[Conversation]]:
    """Of a persona's own rows those that were not left out as duplicates."""
    import numpy as np

    kept = {split: view.indices for split, view in parts.items() if isinstance(view, RowView)}
    return {
        split: chosen(view.rows, np.intersect1d(view.indices, kept[split]))
        for split, view in own.items()
        if isinstance(view, RowView)
    }


def _check_persona(persona: str, parts: Sequence[FileRows]) -> None:
    known = {name for part in parts for name in part.where.names[1:]}
    if known and persona not in known:
        told = f"The rows name {number_and_names(known)}."
        raise UnknownNameError("persona", persona, nearest(persona, sorted(known)), hint=told)


def _of(persona: str, rows: Sequence[Conversation]) -> Sequence[Conversation]:
    import numpy as np

    personas, names = persona_of_rows(rows)
    if not personas.any():
        return rows
    return chosen(rows, np.flatnonzero(personas == (names.index(persona) if persona in names else -1)))
