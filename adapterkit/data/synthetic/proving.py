"""The pass that proves rows: every right answer passes its own check, wrong ones fail, and the rows are as they say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from adapterkit.data.synthetic.forms import Row
from adapterkit.data.synthetic.tasks import task_named
from adapterkit.errors import DataError
from adapterkit.texts import listed

# What no check may take for an answer.
_NONSENSE = ("", "I do not know.", "line 99: unknown", "[Z0]")


@dataclass(frozen=True)
class Proof:
    """What checking rows found.

    Attributes:
        rows: how many were checked.
        wrong_answers: how many wrong answers were given to their checks.
        problems: one line for each thing that is not as it should be, with the row's number from 1.
    """

    rows: int
    wrong_answers: int
    problems: tuple[str, ...]

    def require(self) -> None:
        """Demand that nothing was found.

        Raises:
            DataError: something was.
        """
        if self.problems:
            raise DataError(f"Of {self.rows:,} rows some do not hold:{listed(self.problems, 10)}")


def check_rows(rows: Sequence[Row], *, wrong: int = 4) -> Proof:
    """Check rows, both ways; coder's and reviewer's programs run for it.

    Args:
        rows: of any tasks.
        wrong: how many guesses, drawn evenly from all that there are, are tried on each row besides nonsense. A guess
            may be right: of so many as the row's quality says.
    """
    problems: list[tuple[int, str]] = []
    tried = 0
    for name in dict.fromkeys(row["task"] for row in rows):
        own = [(at, row) for at, row in enumerate(rows, 1) if row["task"] == name]
        problems += _not_right(own)
        attempts = [(at, row, text) for at, row in own for text in _wrong(row, wrong)]
        tried += len(attempts)
        problems += _not_wrong(attempts)
    return Proof(len(rows), tried, tuple(f"row {at}: {what}" for at, what in sorted(problems)))


def _not_right(own: Sequence[tuple[int, Row]]) -> Iterator[tuple[int, str]]:
    rows = [row for _, row in own]
    task = task_named(rows[0]["task"])
    verdicts = task.check(rows, [row["answer"] for row in rows])
    for (at, _), verdict, faults in zip(own, verdicts, task.faults(rows), strict=True):
        if not verdict.passed:
            yield at, f"its own answer fails: {verdict.why}"
        yield from ((at, fault) for fault in faults)


def _not_wrong(attempts: Sequence[tuple[int, Row, str]]) -> Iterator[tuple[int, str]]:
    if not attempts:
        return
    task = task_named(attempts[0][1]["task"])
    verdicts = task.check([row for _, row, _ in attempts], [text for _, _, text in attempts])
    for (at, row, text), verdict in zip(attempts, verdicts, strict=True):
        if verdict.passed and not _as_good(row, text):
            yield at, f"a wrong answer passes: {text!r}"


def _as_good(row: Row, text: str) -> bool:
    """A program that is written otherwise may do the same."""
    return row["task"] == "coder" and text not in _NONSENSE


def _wrong(row: Row, wanted: int) -> list[str]:
    others = [guess for guess in task_named(row["task"]).guesses(row) if guess != row["answer"]]
    step = max(1, len(others) // wanted) if wanted else 1
    # Each row begins elsewhere, so that together they try all.
    start = len(row["prompt"]) % step
    return [*others[start::step][:wanted], *_NONSENSE]
