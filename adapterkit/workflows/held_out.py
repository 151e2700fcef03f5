"""The rows on which a merge and its sources are measured: given ones, or those that each source was tested on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from adapterkit.artifacts import Artifact
from adapterkit.config.schema import DataConfig
from adapterkit.data.conversation import Conversation
from adapterkit.data.encode import encode_split
from adapterkit.data.readers import read_splits
from adapterkit.data.said import SHAPES
from adapterkit.data.sampling import thin
from adapterkit.data.template import EncodedRow
from adapterkit.errors import AdapterKitError, DataError, UsageError
from adapterkit.texts import first_line_of
from adapterkit.workflows.recorded import recorded_config


@dataclass(frozen=True)
class Text:
    """Rows that nobody trained on.

    Attributes:
        source: where they come from, for people.
        rows: the conversations.
        data: says how many tokens each may have.
        digest: of what is said.
        why: why there are none; empty where there are.
    """

    source: str
    rows: Sequence[Conversation]
    data: DataConfig
    digest: str
    why: str = ""

    @property
    def key(self) -> tuple[str, int, str]:
        """What decides which rows the model sees: what is said, and what becomes of long rows."""
        return self.digest, self.data.max_length, self.data.on_long_row

    def encoded(self, tokenizer: Any, most: int | None) -> Sequence[EncodedRow]:
        """As the model sees them, so many at most.

        Raises:
            DataError: a row cannot be encoded.
        """
        return encode_split(thin(self.rows, most), tokenizer, self.data.max_length, self.data.on_long_row)


def given_text(data: DataConfig) -> Text:
    """The test rows of a data config; of one's own files the test file alone is read.

    Raises:
        UsageError: there is no test file.
        DataError: they cannot be used, or are fewer than two.
    """
    if data.reader in SHAPES:
        if data.test is None:
            raise UsageError(
                f"data={data.reader} needs rows to measure on: data.test=FILE.jsonl. A merge trains on nothing."
            )
        alone = replace(data, train=data.test, validation=None, test=None, splits=None, replay=None)
        splits = read_splits(replace(alone, max_train_rows=data.max_test_rows), None)
        rows, source = splits.train, str(data.test)
    else:
        splits = read_splits(data, None)
        rows, source = splits.test, f"{splits.source}, test rows"
    if len(rows) < 2:
        raise DataError(f"{source}: what was kept cannot be told from fewer than two rows.")
    return Text(source, rows, data, splits.digest)


def recorded_text(source: Artifact) -> Text:
    """The test rows that an adapter was trained with, read again; `why` says it where that cannot be."""
    record = source.manifest.data
    try:
        config = recorded_config(source.path)
        splits = read_splits(config.data, config.persona)
    except AdapterKitError as error:
        return _none(record.source, first_line_of(error))
    if splits.digest != record.digest:
        return _none(record.source, "has other rows now")
    if len(splits.test) < 2:
        return _none(record.source, "it was trained without test rows")
    return Text(f"{record.source}, test rows", splits.test, config.data, splits.digest)


# For whoever wants nothing measured.
NOT_ASKED = Text("", (), DataConfig(reader=""), "", "nobody asked for it")


def _none(source: str, why: str) -> Text:
    return Text(source, (), DataConfig(reader=""), "", why)
