"""Read a training's data and turn it into token rows, before anything expensive happens."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import msgspec

from adapterkit.config.schema import DataConfig
from adapterkit.data.encode import encode_split
from adapterkit.data.readers import read_splits
from adapterkit.data.template import EncodedRow
from adapterkit.data.token_rows import labels_counts_of, lengths_of, token_lists
from adapterkit.errors import DataError
from adapterkit.manifest import DataRecord

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TokenRows:
    """The three splits as token rows, and what the manifest says of them.

    Attributes:
        train: ids and labels of each row, as many of both as it has tokens.
        validation: likewise; empty for none.
        test: likewise; empty for none, and never one row alone.
        record: for the manifest: source, digest of the words, rows and tokens of the training split.
        digest: hex sha256 of all ids and labels: the same words under another chat template are other rows.
    """

    train: Sequence[EncodedRow]
    validation: Sequence[EncodedRow]
    test: Sequence[EncodedRow]
    record: DataRecord
    digest: str


def read_rows(config: DataConfig, persona: str | None, tokenizer: Any) -> TokenRows:
    """Read, encode and count.

    Args:
        config: which rows, and at most how many tokens each (`max_length`).
        persona: whose rows; null: everybody's.
        tokenizer: of the base, with its chat template.

    Raises:
        DataError: the data is unusable, leaves no training row, or has a test split of one; file and line are named.
        UnknownNameError: there is no such reader or persona.
    """
    splits = read_splits(config, persona)
    with ThreadPoolExecutor(1) as beside:
        # Mostly other processes encode, and this one waits for them.
        digest = beside.submit(lambda: splits.digest)
        train, validation, test = (
            encode_split(split, tokenizer, config.max_length, config.on_long_row)
            for split in (splits.train, splits.validation, splits.test)
        )
    if not train:
        raise DataError(f"{splits.source} gives no training rows. Check data.train, persona and data.max_train_rows.")
    tokens = int(lengths_of(train).sum())
    _log.info(
        "Data: %s; %d rows to train on (%d tokens, %d learnt), %d to validate, %d to test",
        splits.source, len(train), tokens, int(labels_counts_of(train).sum()), len(validation), len(test),
    )  # fmt: skip
    if len(test) == 1:
        raise DataError(
            f"{splits.source}: the test split has one row, and a change measured on one row proves nothing. Give two "
            "or more, or none: data.test=null"
        )
    record = DataRecord(splits.source, digest.result(), len(train), tokens, dict(splits.origins))
    return TokenRows(train, validation, test, record, _digest((train, validation, test)))


def _digest(splits: Sequence[Sequence[EncodedRow]]) -> str:
    """Of the JSON of all splits, each row `[ids, labels]`, with its weight behind them where that is not 1."""
    digest, encoder = hashlib.sha256(), msgspec.json.Encoder()
    for number, rows in enumerate(splits):
        digest.update(b"],[" if number else b"[[")
        for place, (ids, labels, weight) in enumerate(token_lists(rows)):
            row = (ids, labels) if weight == 1 else (ids, labels, weight)
            digest.update(b"," + encoder.encode(row) if place else encoder.encode(row))
    digest.update(b"]]")
    return digest.hexdigest()
