"""The nouns of training data: turns, conversations, where each came from, and the three splits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from adapterkit.digest import json_digest
from adapterkit.errors import DataError


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
    """Turns in the order they were spoken."""

    turns: tuple[Turn, ...]
    origin: Origin

    @property
    def messages(self) -> list[dict[str, str]]:
        """The turns as chat templates take them."""
        return [{"role": turn.role, "content": turn.content} for turn in self.turns]


@dataclass(frozen=True)
class Splits:
    """What is trained on, what steers training, and what only the final test sees.

    `source` says in a few words where the rows came from; it is for people, and no part of the digest. `origins` says
    what they were read from: `file:<path>` and `sdist:<name>-<version>` with the sha256, `package:<name>` and
    `python:<part>` with the version.
    """

    train: tuple[Conversation, ...]
    validation: tuple[Conversation, ...]
    test: tuple[Conversation, ...]
    source: str
    origins: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def digest(self) -> str:
        """Hex sha256 of what is said in every split, in order; paths and line numbers do not enter."""
        return json_digest(
            {
                name: [[[turn.role, turn.content] for turn in row.turns] for row in rows]
                for name, rows in (("train", self.train), ("validation", self.validation), ("test", self.test))
            }
        )
