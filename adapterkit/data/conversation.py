"""The nouns of training data: turns, conversations, and where each came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
        return canonical_words([(turn.role, turn.content) for turn in self.turns])

    @property
    def canonical(self) -> bytes:
        """All that is learned from it as canonical JSON: the words alone where there is nothing else."""
        turns = [(turn.role, turn.content) for turn in self.turns]
        return canonical_words(turns, self.weight, self.rejected)


def canonical_words(turns: Sequence[tuple[str, str]], weight: float = 1.0, rejected: str | None = None) -> bytes:
    """Turns, each a role and what it says, as canonical JSON, with what is learned besides."""
    if weight == 1 and rejected is None:
        # Of lists of text msgspec makes the same bytes as `canonical_json`, in a tenth of the time.
        return _PLAIN.encode(turns)
    whole: dict[str, object] = {"turns": turns}
    if weight != 1:
        whole["weight"] = float(weight)
    if rejected is not None:
        whole["rejected"] = rejected
    return canonical_json(whole)
