"""The nouns of training data: turns, conversations, where each came from, and the three splits."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import msgspec

from adapterkit.digest import canonical_json
from adapterkit.errors import DataError

_PLAIN = msgspec.json.Encoder()


@dataclass(frozen=True)
class Turn:
    """What one side says; `role` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True)
class Origin:
    """Where a conversation came from.

    Attributes:
        path: the file, as the user or the corpus names it.
        line: the 1-based line in it.
        label: what a reader of an error should see besides, such as the speaker; may be empty.
        strata: the groups it belongs to, coarsest first; a smaller sample is drawn evenly over them.
    """

    path: str
    line: int | None = None
    label: str = ""
    strata: tuple[str, ...] = ()

    def error(self, what: str) -> DataError:
        """A `DataError` that says where in the data its cause lies."""
        return DataError(f"({self.label}) {what}" if self.label else what, path=self.path, line=self.line)


@dataclass(frozen=True)
class Conversation:
    """Turns in the order they were spoken.

    Attributes:
        turns: what is said; the assistant's answers are what is learned.
        origin: where it came from.
        weight: how much each of its label tokens counts in the loss, above 0.
        rejected: of a preference pair, the answer that was not preferred; the turns hold the other one.
    """

    turns: tuple[Turn, ...]
    origin: Origin
    weight: float = 1.0
    rejected: str | None = None

    @property
    def messages(self) -> list[dict[str, str]]:
        """The turns as chat templates take them."""
        return [{"role": turn.role, "content": turn.content} for turn in self.turns]

    @property
    def words(self) -> bytes:
        """The turns alone as canonical JSON: `[["user","hi"],["assistant","hello"]]`."""
        # Of lists of text msgspec makes the same bytes as `canonical_json`, in a tenth of the time.
        return _PLAIN.encode([[turn.role, turn.content] for turn in self.turns])

    @property
    def canonical(self) -> bytes:
        """All that is learned from it as canonical JSON: the words alone where there is nothing else."""
        if self.weight == 1 and self.rejected is None:
            return self.words
        whole: dict[str, object] = {"turns": [[turn.role, turn.content] for turn in self.turns]}
        if self.weight != 1:
            whole["weight"] = float(self.weight)
        if self.rejected is not None:
            whole["rejected"] = self.rejected
        return canonical_json(whole)


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

    @cached_property
    def digest(self) -> str:
        """Hex sha256 of what is said in every split, in order; paths and line numbers do not enter.

        It is the digest of one JSON object of all splits, which is never held as a whole.
        """
        digest = hashlib.sha256()
        leads = b'{"test":[', b'],"train":[', b'],"validation":['
        for lead, rows in zip(leads, (self.test, self.train, self.validation), strict=True):
            digest.update(lead)
            for number, row in enumerate(rows):
                digest.update(b"," + row.canonical if number else row.canonical)
        digest.update(b"]}")
        return digest.hexdigest()
