"""The reader `synthetic`: rows of one task as conversations; the test has forms that training never sees."""

from __future__ import annotations

from collections.abc import Sequence

from adapterkit.data.conversation import Conversation, Origin, Turn
from adapterkit.data.corpora import check_splits_itself
from adapterkit.data.splits import Splits
from adapterkit.data.synthetic.forms import Row
from adapterkit.data.synthetic.kept import split
from adapterkit.data.synthetic.tasks import TASKS, generate
from adapterkit.errors import UsageError


def read_synthetic(
    *,
    task: str | None,
    rows: int,
    seed: int,
    persona: str | None,
    train: str | None,
    validation: str | None,
    test: str | None,
    prompt: str | None,
) -> Splits:
    """Make rows of a task, four fifths of them from forms to train on, the rest from forms kept for the test.

    Args:
        task: coder, researcher, security, architect or reviewer.
        rows: how many, over all splits.
        seed: another seed, other rows.
        persona: must be null: a task has none.
        train: null or `auto`.
        validation: `auto`, or null for none; its rows stay out of training either way.
        test: likewise.
        prompt: must be null: the rows bring their own.

    Raises:
        UnknownNameError: there is no such task.
        UsageError: there is no task, or what a task has not was given.
        DataError: the task has not so many rows.
    """
    if task is None:
        raise UsageError(f"data=synthetic needs a task: data.task=NAME, one of {', '.join(TASKS)}.")
    if persona is not None:
        raise UsageError(
            f"data=synthetic has no personas, but persona={persona}. Leave it out; data.task says what is learnt."
        )
    if prompt is not None:
        raise UsageError(
            "data=synthetic takes no data.prompt: the rows bring their own. For a fixed text set data.system."
        )
    check_splits_itself("synthetic", train=train, validation=validation, test=test)
    made = generate(task, rows, seed=seed)
    trained, validated, tested = split(made)
    return Splits(
        train=_conversations(trained, task, seed),
        validation=_conversations(validated, task, seed) if validation else (),
        test=_conversations(tested, task, seed) if test else (),
        source=f"synthetic {task}, seed {seed}",
    )


def _conversations(rows: Sequence[Row], task: str, seed: int) -> tuple[Conversation, ...]:
    return tuple(
        Conversation(
            (Turn("user", row["prompt"]), Turn("assistant", row["answer"])),
            Origin(f"synthetic/{task}/{seed}", at, row["template"], (row["template"],)),
        )
        for at, row in enumerate(rows, 1)
    )
