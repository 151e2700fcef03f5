"""The table of `families.py`, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def printed(results: Sequence[dict[str, Any]]) -> str:
    """One line a family."""
    lines = [f"{'family':<26}{'without':>9}{'with':>8}{'change':>9}   95 % interval       rows   score"]
    for row in results:
        if "failed" in row:
            lines.append(f"{row['family']:<26} failed: {row['failed'].strip().splitlines()[-1]}")
            continue
        lines.append(
            f"{row['family']:<26}{row['before']:>9.3f}{row['after']:>8.3f}{row['change']:>+9.3f}   "
            f"{row['ci95_low']:+.3f} .. {row['ci95_high']:+.3f}{row['test_rows']:>8}   {_score(row)}"
        )
    return "\n".join(lines)


def _score(row: dict[str, Any]) -> str:
    if not (score := row.get("score")):
        return ""
    return (
        f"{score['before']:.2f} -> {score['after']:.2f} ({score['ci95_low']:+.2f} .. {score['ci95_high']:+.2f}), "
        f"one answer {score['constant']:.2f}"
    )
