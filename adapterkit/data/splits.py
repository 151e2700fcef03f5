"""The three splits of a training's data."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from adapterkit.data.conversation import Conversation
from adapterkit.data.row_views import said_rows

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Splits:
    """What is trained on, what steers training, and what only the final test sees.

    Rows of files are read from there each time that they are looked at: go through them in order. `source` says in a
    few words where the rows came from; it is for people, and no part of the digest. `origins` says what they were read
    from: `file:<path>` and `sdist:<name>-<version>` with the sha256, `folder:<path>` of a style pack with that of all
    it holds, `package:<name>` and `python:<part>` with the version.
    """

    train: Sequence[Conversation]
    validation: Sequence[Conversation]
    test: Sequence[Conversation]
    source: str
    origins: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def chosen(
        cls,
        rows: Mapping[str, Sequence[Conversation]],
        *,
        validation: str | None,
        test: str | None,
        source: str,
        origins: Mapping[str, str],
    ) -> Splits:
        """Of rows by split those that are asked for: a held-out split that is null, or not named, is empty."""
        validated = rows["validation"] if validation else ()
        return cls(rows["train"], validated, rows["test"] if test else (), source, origins)

    @cached_property
    def digest(self) -> str:
        """Hex sha256 of what is said in every split, in order; paths and line numbers do not enter.

        It is the digest of one JSON object of all splits, which is never held as a whole.
        """
        digest = hashlib.sha256()
        leads = b'{"test":[', b'],"train":[', b'],"validation":['
        for lead, rows in zip(leads, (self.test, self.train, self.validation), strict=True):
            digest.update(lead)
            for number, row in enumerate(said_rows(rows)):
                digest.update(b"," + row.canonical if number else row.canonical)
        digest.update(b"]}")
        return digest.hexdigest()
