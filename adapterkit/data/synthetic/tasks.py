"""The five tasks by name, and rows of them: seeded, none twice, the same on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zlib import crc32

from adapterkit.data.synthetic.architect import ARCHITECT
from adapterkit.data.synthetic.coder import CODER
from adapterkit.data.synthetic.drawing import mixed, scattered
from adapterkit.data.synthetic.forms import Form, Row, Task, Verdict
from adapterkit.data.synthetic.researcher import RESEARCHER
from adapterkit.data.synthetic.reviewer import REVIEWER
from adapterkit.data.synthetic.security import SECURITY
from adapterkit.errors import DataError, UnknownNameError, UsageError
from adapterkit.names import nearest
from adapterkit.texts import excerpt

TASKS: dict[str, Task] = {task.name: task for task in (CODER, RESEARCHER, SECURITY, ARCHITECT, REVIEWER)}

# Of five rows one is of a form that is kept for the test.
_SHARE = 5


def task_named(name: str | None) -> Task:
    """The task of that name.

    Raises:
        UnknownNameError: there is none.
    """
    if name not in TASKS:
        raise UnknownNameError("task", str(name), nearest(str(name), TASKS), hint=f"The tasks are {', '.join(TASKS)}.")
    return TASKS[name]


def generate(task: str, rows: int = 1000, *, seed: int = 0) -> list[Row]:
    """Rows of a task; of every five the last is of an unseen form.

    The first rows of a longer list are those of a shorter one with the same seed.

    Args:
        task: coder, researcher, security, architect or reviewer.
        rows: how many.
        seed: another seed, other rows.

    Returns:
        Dicts with `task`, `template`, `seen`, `difficulty` (1 to 3), `quality`, `prompt`, `answer` and `check`.

    Raises:
        UnknownNameError: there is no such task.
        UsageError: the number of rows is negative, or it or the seed is no whole number.
        DataError: the task has not so many different rows.
    """
    chosen = task_named(task)
    whole: dict[str, Any] = {"rows": rows, "seed": seed}
    for key, value in whole.items():
        if not isinstance(value, int) or isinstance(value, bool):
            raise UsageError(f"{key} is {excerpt(value)}, and must be a whole number.")
    if rows < 0:
        raise UsageError(f"{rows} rows cannot be made: give a number from 0 on.")
    if rows > (most := capacity(task)):
        raise DataError(f"The task {task} has {most:,} different rows, and {rows:,} were asked for. Ask for fewer.")
    unseen = rows // _SHARE
    made: list[Row] = [{}] * rows
    drawn = _drawn([form for form in chosen.forms() if form.seen], rows - unseen, seed)
    for place in range(_SHARE - 1):
        made[place::_SHARE] = drawn[place :: _SHARE - 1]
    made[_SHARE - 1 :: _SHARE] = _drawn([form for form in chosen.forms() if not form.seen], unseen, seed)
    return made


def capacity(task: str) -> int:
    """How many different rows a task has, drawn evenly from its forms."""
    known = task_named(task).forms()
    seen, unseen = ([form.size for form in known if form.seen is wanted] for wanted in (True, False))
    return min(len(seen) * min(seen) * _SHARE // (_SHARE - 1), len(unseen) * min(unseen) * _SHARE)


def _drawn(forms: Sequence[Form], count: int, seed: int) -> list[Row]:
    """Rows from each form in turn, beginning where the seed says."""
    made: list[Row] = [{}] * count
    for turn in range(len(forms)):
        form = forms[(turn + seed) % len(forms)]
        wanted = len(range(turn, count, len(forms)))
        numbers = scattered(wanted, form.size, mixed(seed, crc32(form.name.encode())))
        made[turn :: len(forms)] = map(form.make, numbers)
    return made


def check(row: Row, text: str) -> Verdict:
    """How good an answer to a row is; of many answers `check_all` is faster, since programs share a process."""
    return check_all([row], [text])[0]


def check_all(rows: Sequence[Row], texts: Sequence[str]) -> list[Verdict]:
    """How good the answers to rows of one task are, one verdict a row.

    Raises:
        DataError: the rows are of several tasks.
        UnknownNameError: they are of none that is known.
    """
    names = {row["task"] for row in rows}
    if len(names) > 1:
        raise DataError(f"The rows are of several tasks: {', '.join(sorted(names))}. Check each task by itself.")
    return task_named(names.pop()).check(rows, texts) if names else []
