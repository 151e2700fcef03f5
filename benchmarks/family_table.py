"""The table of `families.py`, for a terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reporting import installed, machine


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


def written(results: Sequence[dict[str, Any]], packages: Sequence[str]) -> str:
    """The page docs/results.md."""
    here = machine()
    losses = [
        f"| {row['family']} | {row['rows']} | {row['before']:.3f} | {row['after']:.3f} | {row['change']:+.3f} "
        f"({row['ci95_low']:+.3f} .. {row['ci95_high']:+.3f}) | {row['test_rows']} | {row['seconds'] / 60:.1f} |"
        for row in results
        if "failed" not in row
    ]
    scores = [
        f"| {row['family']} | {score['before']:.2f} | {score['after']:.2f} | {score['change']:+.2f} "
        f"({score['ci95_low']:+.2f} .. {score['ci95_high']:+.2f}) | {score['constant']:.2f} | {score['rows']} |"
        for row in results
        if (score := row.get("score"))
    ]
    commands = [f"| {row['family']} | `python -m adapterkit.train {row['words']}` |" for row in results]
    held = ", ".join(f"{name} {found}" for name in packages if (found := installed(name)))
    return f"""# Results

`python benchmarks/families.py --registry kept --write docs/results.md` makes this page anew: every command below, one
after the other, from nothing. Machine: {here["cpu"]}, {here["cores"]} cores, {here["memory_gib"]} GiB.
Versions: {held}.

## Test losses

Nats a label token on rows that were never trained on: of the parent alone (of the base, where there is no parent), and
with the adapter. The change is the mean over rows of what the adapter adds, with a paired 95 % t interval. Minutes are
those of the whole command.

| family | rows trained on | without | with | change a row | test rows | minutes |
|---|---|---|---|---|---|---|
{chr(10).join(losses)}

## Answers that a program checks

Mean score of greedy answers, from 0 to 1: of the base, and with the adapter. The questions come from templates or
sources that are held out whole. `one answer` is what the commonest right answer alone would score on all of them.

| family | base | adapter | change an answer | one answer | questions |
|---|---|---|---|---|---|
{chr(10).join(scores)}

## Commands

| family | command |
|---|---|
{chr(10).join(commands)}
"""


def _score(row: dict[str, Any]) -> str:
    if not (score := row.get("score")):
        return ""
    return (
        f"{score['before']:.2f} -> {score['after']:.2f} ({score['ci95_low']:+.2f} .. {score['ci95_high']:+.2f}), "
        f"one answer {score['constant']:.2f}"
    )
