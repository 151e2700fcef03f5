"""What an adapter gains in answers that a program checks: the same questions with it and without it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from adapterkit.data.synthetic import generate, task_named
from adapterkit.data.synthetic.forms import Row
from adapterkit.evaluation.answers import greedy_answers
from adapterkit.evaluation.paired import ScoreChange, paired_scores
from adapterkit.serving.session import load


@dataclass(frozen=True)
class CheckedGain:
    """The scores of an adapter beside those of the same stack without it.

    Attributes:
        change: both scores and their paired change.
        before: the answers without the adapter.
        after: the answers with it.
        scores_before: one score an answer.
        scores_after: likewise.
    """

    change: ScoreChange
    before: Sequence[str]
    after: Sequence[str]
    scores_before: Sequence[float]
    scores_after: Sequence[float]


def checked_gain(
    ref: str,
    messages: Sequence[str],
    score: Callable[[Sequence[str]], Sequence[float]],
    *,
    max_new_tokens: int,
    registry: str | os.PathLike[str] | None = None,
    batch_size: int = 20,
) -> CheckedGain:
    """Ask a published adapter, and its stack without it, the same questions, and score the answers.

    Args:
        ref: the adapter.
        messages: the questions, two or more.
        score: from the answers, in the order of the questions, to scores from 0 to 1.
        max_new_tokens: the longest answer.
        registry: the folder of published adapters; as `adapterkit.load` takes it.
        batch_size: questions at once.

    Raises:
        AdapterKitError: as `adapterkit.load` says.
    """
    session = load(ref, registry=registry)

    def answers(model: object) -> list[str]:
        return greedy_answers(model, session.tokenizer, messages, max_new_tokens=max_new_tokens, batch_size=batch_size)

    with session.without_last() as model:
        before = answers(model)
    after = answers(session.model)
    scores_before, scores_after = [*score(before)], [*score(after)]
    return CheckedGain(paired_scores(scores_before, scores_after), before, after, scores_before, scores_after)


def task_gain(
    ref: str,
    task: str,
    *,
    rows: int = 60,
    seed: int = 0,
    registry: str | os.PathLike[str] | None = None,
    batch_size: int = 20,
) -> CheckedGain:
    """What an adapter gains on rows of a synthetic task from templates that are never trained on.

    Args:
        ref: the adapter.
        task: coder, researcher, security, architect or reviewer.
        rows: how many questions.
        seed: of the rows.
        registry: the folder of published adapters; as `adapterkit.load` takes it.
        batch_size: questions at once.

    Raises:
        AdapterKitError: as `adapterkit.load` says; or there is no such task.
    """
    chosen, asked = task_named(task), unseen_rows(task, rows, seed=seed)
    return checked_gain(
        ref,
        [row["prompt"] for row in asked],
        lambda texts: [verdict.score for verdict in chosen.check(asked, texts)],
        max_new_tokens=chosen.answer_tokens,
        registry=registry,
        batch_size=batch_size,
    )


def unseen_rows(task: str, rows: int, *, seed: int = 0) -> list[Row]:
    """Rows of a task from templates that are never trained on: those of the test split, in its order."""
    return [row for row in generate(task, 5 * rows, seed=seed) if not row["seen"]]


def always_the_same(task: str, rows: Sequence[Row]) -> float:
    """The best share of rows that one answer to all of them is right on: what a gain has to be told from."""
    ((answer, _),) = Counter(row["answer"] for row in rows).most_common(1)
    verdicts = task_named(task).check(rows, [answer] * len(rows))
    return sum(verdict.passed for verdict in verdicts) / len(rows)
