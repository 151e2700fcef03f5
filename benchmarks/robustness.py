"""What adapters and trainings survive, and what the guard notices; the tests that do the harm count it.

python benchmarks/robustness.py --json robustness.json
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reporting import write_report

ROOT = Path(__file__).parents[1]
_VERSIONED = ("torch", "transformers", "peft", "pytest")


@dataclass(frozen=True)
class Trial:
    """Tests that do one kind of harm.

    Attributes:
        harm: what is done.
        counted: the property under which a test says how often it did it; empty: every test does it once.
        tests: what pytest is asked to run.
        holds: what the tests demand after each.
    """

    harm: str
    counted: str
    tests: tuple[str, ...]
    holds: str


_KILLED = "tests/training/test_killed.py"
_DRIFT = "tests/training/test_drift.py"
_SAME = "the adapter is bit-identical to that of a training left alone"
TRIALS = (
    Trial("fault at a system call", "faults", ("-m", "long", "tests/faults"), "no version lost, damaged or half there"),
    Trial("SIGKILL of a training", "SIGKILL", ("-m", "long", _KILLED, "-k", "9-"), _SAME),
    Trial("SIGTERM of a training", "SIGTERM", ("-m", "long", _KILLED, "-k", "15-"), _SAME),
    Trial(
        "version that four processes race for",
        "raced for",
        ("-m", "long", "tests/registry/test_exact_version.py"),
        "one publishes it, three are told",
    ),
    Trial(
        "bit flipped in what is frozen",
        "",
        ("tests/stack/test_mutations.py::test_every_flipped_bit_is_found_and_named",),
        "the tensor is named before anything is written",
    ),
    Trial(
        "way for a callback to change what is frozen or trained",
        "",
        (f"{_DRIFT}::test_a_rogue_callback_is_stopped_before_anything_is_written",
         f"{_DRIFT}::test_it_is_stopped_at_every_event_there_is"),
        "no checkpoint and no artifact is written after it",
    ),
    Trial(
        "honest training, no two alike",
        "",
        ("tests/training/test_no_false_alarm.py::test_an_honest_training_raises_no_alarm",),
        "the guard raises no alarm",
    ),
)  # fmt: skip


def main() -> None:
    """Run every trial, print what was counted, and fail where a test failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="the few of `make test`")
    arguments = parser.parse_args()
    results = [tried(trial, quick=arguments.quick) for trial in TRIALS]
    print(f"{'what was done':<56}{'times':>7}{'tests':>7}{'failed':>8}{'seconds':>9}   what holds after each")
    for row in results:
        told = f"{row['harm']:<56}{row['times']:>7}{row['tests']:>7}{row['failed']:>8}{row['seconds']:>9.0f}"
        print(f"{told}   {row['holds']}")
    ratios = {row["harm"]: float(row["times"]) for row in results}
    ratios |= {f"{row['harm']}, failed": float(row["failed"]) for row in results}
    write_report(arguments.json, results, ratios, _VERSIONED)
    if any(row["failed"] or not (row["tests"] or arguments.quick) for row in results):
        sys.exit("A trial failed.")


def tried(trial: Trial, *, quick: bool) -> dict[str, Any]:
    """Run the tests of one kind of harm in a process of their own, and add up what they did."""
    # Of several -m the last counts.
    asked = [*trial.tests, *(["-m", "not long"] if quick else [])]
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.xml"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            f"--junitxml={report}",
            "-o",
            "junit_family=xunit1",
            *asked,
        ]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if not report.is_file():
            sys.exit(done.stdout + done.stderr)
        if done.returncode:
            print(done.stdout + done.stderr, file=sys.stderr)
        (suite,) = ElementTree.parse(report).getroot()
    counted = [int(each.get("value", 0)) for each in suite.iter("property") if each.get("name") == trial.counted]
    return {
        "harm": trial.harm,
        "times": sum(counted) if trial.counted else int(suite.get("tests", 0)),
        "tests": int(suite.get("tests", 0)),
        "failed": int(suite.get("failures", 0)) + int(suite.get("errors", 0)),
        "seconds": float(suite.get("time", 0)),
        "holds": trial.holds,
    }


if __name__ == "__main__":
    main()
