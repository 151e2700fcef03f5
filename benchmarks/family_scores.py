"""Answers that a program checks, of an adapter and of the same stack without it, for `families.py`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Tokens of the longest answer that is asked for.
_TOKENS = {
    "grounded": 80, "functions": 120, "algorithms": 120, "code_review": 24, "weaknesses": 16, "module_imports": 40,
}  # fmt: skip


def synthetic_gain(ref: str, task: str, registry: Path, questions: int) -> dict[str, Any]:
    """Of rows from templates that are never trained on; `constant` is what one and the same answer would score."""
    from adapterkit.workflows.checked import always_the_same, task_gain, unseen_rows

    gain = task_gain(ref, task, rows=questions, registry=registry)
    constant = always_the_same(task, unseen_rows(task, questions))
    return {**dataclasses.asdict(gain.change), "constant": constant}


def real_set_gain(ref: str, reader: str, words: Sequence[str], registry: Path, questions: int) -> dict[str, Any]:
    """Of rows of the test split that the training's words mean."""
    from collections import Counter

    from adapterkit.config.compose import compose_command, composing
    from adapterkit.data.answer_checks import ANSWER_CHECKS
    from adapterkit.data.readers import read_splits
    from adapterkit.workflows.checked import checked_gain

    with composing():
        config, _ = compose_command([*words, f"data.max_test_rows={questions}"])
    asked = [(row.turns[-2].content, row.turns[-1].content) for row in read_splits(config.data, None).test]
    check = ANSWER_CHECKS[reader]

    def score(texts: Any) -> list[float]:
        return [float(check(said, wanted)) for said, (_, wanted) in zip(texts, asked, strict=True)]

    gain = checked_gain(
        ref, [question for question, _ in asked], score, max_new_tokens=_TOKENS[reader], registry=registry
    )
    ((commonest, _),) = Counter(wanted for _, wanted in asked).most_common(1)
    constant = sum(check(commonest, wanted) for _, wanted in asked) / len(asked)
    return {**dataclasses.asdict(gain.change), "constant": constant}
