"""Synthetic rows as files, in splits, and in figures."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adapterkit.data.jsonl import read_objects
from adapterkit.data.synthetic.forms import Row
from adapterkit.data.synthetic.tasks import TASKS
from adapterkit.digest import json_digest
from adapterkit.errors import DataError
from adapterkit.stores.replace import replace_files

_KEYS = {
    "task": str, "template": str, "seen": bool, "difficulty": int, "quality": float, "prompt": str, "answer": str,
    "check": dict,
}  # fmt: skip
# Of so many rows of seen forms one is for validation.
_VALIDATED = 10


def split(rows: Sequence[Row]) -> tuple[list[Row], list[Row], list[Row]]:
    """Training, validation and test: the test has the forms that are kept for it, the others none of them."""
    seen = [row for row in rows if row["seen"]]
    return (
        [row for at, row in enumerate(seen) if at % _VALIDATED != _VALIDATED - 1],
        seen[_VALIDATED - 1 :: _VALIDATED],
        [row for row in rows if not row["seen"]],
    )


def rows_statistics(rows: Sequence[Row]) -> dict[str, Any]:
    """Rows, forms, kinds of answer and lengths, by task; lengths in characters."""
    return {name: _statistics([row for row in rows if row["task"] == name]) for name in TASKS if _has(rows, name)}


def _has(rows: Sequence[Row], name: str) -> bool:
    return any(row["task"] == name for row in rows)


def _statistics(rows: Sequence[Row]) -> dict[str, Any]:
    forms = {seen: len({row["template"] for row in rows if row["seen"] is seen}) for seen in (True, False)}
    quality = [row["quality"] for row in rows]
    return {
        "rows": len(rows),
        "different_prompts": len({row["prompt"] for row in rows}),
        "different_answers": len({row["answer"] for row in rows}),
        "commonest_answer": Counter(row["answer"] for row in rows).most_common(1)[0][1] / len(rows),
        "forms_seen": forms[True],
        "forms_unseen": forms[False],
        "rows_unseen": sum(not row["seen"] for row in rows),
        "difficulty": {str(level): sum(row["difficulty"] == level for row in rows) for level in (1, 2, 3)},
        "quality": {"lowest": min(quality), "mean": statistics.fmean(quality), "highest": max(quality)},
        "prompt_characters": statistics.fmean(len(row["prompt"]) for row in rows),
        "answer_characters": statistics.fmean(len(row["answer"]) for row in rows),
    }


def rows_digest(rows: Sequence[Row]) -> str:
    """Hex sha256 of all rows, in order."""
    return json_digest(list(rows))


def save_rows(path: Path, rows: Sequence[Row]) -> str:
    """Write rows as JSON Lines, and return their digest; a file of that name is replaced as a whole.

    Raises:
        RegistryError: the disk refuses.
    """
    lines = "".join(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n" for row in rows)
    replace_files(path.parent, {path.name: lines.encode("utf-8")})
    return rows_digest(rows)


def load_rows(path: Path, *, digest: str | None = None) -> list[Row]:
    """Read rows that `save_rows` wrote.

    Args:
        path: the file.
        digest: what `save_rows` returned, where the rows must be those.

    Raises:
        DataError: the file cannot be read, a line is no row, or the rows are others.
    """
    rows = [_row(path, line, row) for line, row in read_objects(path)]
    if digest is not None and (found := rows_digest(rows)) != digest:
        raise DataError(
            f"The rows are not those that were saved: their digest is {found}, and {digest} was expected. Make them "
            "again.",
            path=path,
        )
    return rows


def _row(path: Path, line: int, row: Row) -> Row:
    wrong = [key for key, kind in _KEYS.items() if type(row.get(key)) is not kind]
    if wrong or row["task"] not in TASKS:
        what = f"'{wrong[0]}' is missing or no {_KEYS[wrong[0]].__name__}" if wrong else f"no task is '{row['task']}'"
        raise DataError(f"This is no synthetic row: {what}. Save rows with save_rows.", path=path, line=line)
    return row
