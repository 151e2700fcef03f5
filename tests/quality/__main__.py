"""Print what `make quality` measured, and fail where it falls short of what is asked.

python -m tests.quality mutate --drawn 60          tests a sample of mutants
python -m tests.quality report                     prints everything, from the files the steps before left behind
"""

from __future__ import annotations

import argparse
import json
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.quality import mutants
from tests.quality.structure import structure_of

COVERAGE, SUITE = Path("coverage.json"), Path("suite.xml")
Row = tuple[str, str, str, bool]


def main() -> int:
    """Run one of the two steps; exit code 1 where something falls short."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    step = parser.add_subparsers(dest="step", required=True)
    mutate = step.add_parser("mutate")
    mutate.add_argument("--drawn", type=int, default=60, help="mutants of every room")
    mutate.add_argument("--seed", type=int, default=0)
    step.add_parser("report")
    arguments = parser.parse_args()
    if arguments.step == "mutate":
        return mutants.run(arguments.drawn, arguments.seed)
    rows = [*_structure(), *_coverage(), *_suite(), *_mutants()]
    table = Table("what", "measured", "asked")
    for what, measured, asked, enough in rows:
        table.add_row(what, measured if enough else f"[red]{measured}: short[/red]", asked)
    Console().print(table)
    return int(not all(enough for *_, enough in rows))


def _structure() -> Iterator[Row]:
    found = structure_of(Path("adapterkit"))
    yield "source", f"{found.files} files, {found.lines:,} lines", "", True
    longest, function = found.longest_file, found.longest_function
    yield "longest file", f"{longest.lines} lines ({longest.name})", "under 300", longest.lines < 300
    yield "longest function", f"{function.lines} lines ({function.name})", "60 at most", function.lines <= 60
    yield "median function", f"{found.median_function:g} lines", "under 12", found.median_function < 12
    yield "import cycles", " -> ".join(found.cycle) or "0", "0", not found.cycle


def _coverage() -> Iterator[Row]:
    if not COVERAGE.exists():
        yield "line coverage", "not measured", "90 %", False
        return
    total = json.loads(COVERAGE.read_text(encoding="utf-8"))["totals"]
    share = 100 * total["covered_lines"] / total["num_statements"]
    yield "line coverage", f"{share:.1f} % of {total['num_statements']:,} statements", "90 %", share >= 90


def _suite() -> Iterator[Row]:
    if not SUITE.exists():
        yield "make test", "not measured", "under 600 s", False
        return
    (suite,) = ElementTree.parse(SUITE).getroot()
    count, seconds, broken = (suite.get(key, "0") for key in ("tests", "time", "failures"))
    enough = float(seconds) < 600 and broken == "0"
    yield "make test", f"{count} tests, {float(seconds):.0f} s, {broken} failed", "under 600 s", enough


def _mutants() -> Iterator[Row]:
    for score in mutants.scores():
        low, high = score.interval
        told = f"{score.share:.0%} of {score.drawn} died ({low:.0%} .. {high:.0%}; {score.made} exist)"
        yield f"mutants: {score.room}", told if score.drawn else "not measured", "85 %", score.share >= 0.85


if __name__ == "__main__":
    sys.exit(main())
