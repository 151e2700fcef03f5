"""The nouns of synthetic tasks: a form makes rows by number, a verdict says how good an answer is, a task has both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class Form:
    """One template of a task.

    Attributes:
        name: the template's id, such as `sum.squares.even`.
        seen: whether rows to train on are made from it; rows of the other forms are for the test alone.
        size: how many different rows it gives.
        make: from a number below `size` to a row; no two numbers give the same prompt.
    """

    name: str
    seen: bool
    size: int
    make: Callable[[int], Row]


@dataclass(frozen=True)
class Verdict:
    """What a check says of one answer.

    Attributes:
        score: 1 is right, 0 is wrong; between them where a part is right.
        why: what is wrong with it, in a few words; empty when nothing is.
    """

    score: float
    why: str = ""

    @property
    def passed(self) -> bool:
        """Whether the answer is right in every part."""
        return self.score == 1.0


@dataclass(frozen=True)
class Task:
    """What a task is made of.

    Attributes:
        name: the task's name.
        forms: builds its forms, once.
        check: the verdicts on the answers to rows, one each; pure, and nothing outside of the rows is looked at.
        guesses: the answers that somebody could give to a row who knows only how an answer looks.
        faults: what is wrong with a row itself, found by a program that does not know how it was made.
        answer_tokens: enough for every right answer.
    """

    name: str
    forms: Callable[[], tuple[Form, ...]]
    check: Callable[[Sequence[Row], Sequence[str]], list[Verdict]]
    guesses: Callable[[Row], list[str]]
    faults: Callable[[Sequence[Row]], list[list[str]]]
    answer_tokens: int


RIGHT = Verdict(1.0)
