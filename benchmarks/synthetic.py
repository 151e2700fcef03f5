"""How fast the rows of the synthetic tasks are made, and how fast they are checked.

python benchmarks/synthetic.py --json synthetic.json
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reporting import write_report

from adapterkit.data.synthetic import TASKS, check_all, check_rows, generate

_ROWS = 1000
_LIMIT_MS = 10.0


def main() -> None:
    """Make and check rows of each task; print milliseconds for 1,000 of them and rows a second."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=101)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="few runs, few rows checked")
    arguments = parser.parse_args()
    runs, checked = (15, 100) if arguments.quick else (arguments.runs, _ROWS)
    print(f"{'':<12}{'first':>9}{'median':>9}{'fastest':>9}{'rows/s':>10}{'checks/s':>10}{'proofs/s':>10}")
    results = [measured(task, runs, checked) for task in TASKS]
    for row in results:
        print(
            f"{row['task']:<12}{row['first_ms']:>9.1f}{row['median_ms']:>9.2f}{row['fastest_ms']:>9.2f}"
            f"{row['rows_per_second']:>10,.0f}{row['checks_per_second']:>10,.0f}{row['proofs_per_second']:>10,.0f}"
        )
    print(f"\nmilliseconds for {_ROWS:,} rows as dicts in memory, another seed each time; limit {_LIMIT_MS:g}")
    print("first: with the tables that a process makes once; a proof is nine checks and a look at the row itself")
    write_report(arguments.json, results, {row["task"]: row["median_ms"] / _LIMIT_MS for row in results}, ())


def measured(task: str, runs: int, checked: int) -> dict[str, Any]:
    """Times of one task."""
    first = seconds(lambda: generate(task, _ROWS, seed=0))
    times = [seconds(lambda seed=seed: generate(task, _ROWS, seed=seed)) for seed in range(runs)]
    rows = generate(task, checked, seed=1)
    answers = [row["answer"] for row in rows]
    checks = statistics.median(seconds(lambda: check_all(rows, answers)) for _ in range(5))
    return {
        "task": task,
        "first_ms": 1000 * first,
        "median_ms": 1000 * statistics.median(times),
        "fastest_ms": 1000 * min(times),
        "rows_per_second": _ROWS / statistics.median(times),
        "checks_per_second": checked / checks,
        "proofs_per_second": checked / seconds(lambda: check_rows(rows).require()),
    }


def seconds(action: Callable[[], object]) -> float:
    """Wall time of one call, its garbage collected before and not during it."""
    gc.collect()
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
