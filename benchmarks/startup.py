"""How long the command takes to say anything: `--help`, the verbs that look, and a shell's question for completions.

python benchmarks/startup.py --json startup.json
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from registry import build_family
from reporting import machine, seconds_of_process, write_report

BARE = "python -c pass"
VERBS = (
    "--help", "list", "show persona_1", "lineage persona_1", "history persona_1", "verify persona_1", "status",
    "presets",
)  # fmt: skip
COMPLETED = ("show per", "train +recipe=", "train persona=", "train adapter.")
PACKAGES = ("typer", "rich", "hydra-core", "peft", "torch")


def main() -> None:
    """Time whole processes over a registry of ten adapters, with a warm cache."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="three runs")
    arguments = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        build_family(Path(scratch) / "adapters", 10, Path(scratch))
        print(machine())
        print(f"{'':<34}  median     min     max")
        for name, command, more in commands(Path(scratch) / "adapters"):
            timed = {"runs": 3 if arguments.quick else arguments.runs, "env": {**os.environ, **more}}
            # The first run fills the cache of the disk and writes the compiled modules.
            seconds_of_process(command, **timed | {"runs": 1})
            low, median, high = seconds_of_process(command, **timed)
            results.append({"command": name, "min": low, "median": median, "max": high})
            print(f"{name:<34} {median:6.3f}s {low:6.3f}s {high:6.3f}s")
    bare = next(float(row["median"]) for row in results if row["command"] == BARE)
    ratios = {f"{row['command']} / {BARE}": float(row["median"]) / bare for row in results}
    write_report(arguments.json, results, ratios, PACKAGES)


def commands(registry: Path) -> Iterator[tuple[str, list[str], Mapping[str, str]]]:
    """What is timed: its name, its words, and what it finds in its environment besides."""
    yield BARE, [sys.executable, "-c", "pass"], {}
    yield "import adapterkit", [sys.executable, "-c", "import adapterkit"], {}
    yield "import typer", [sys.executable, "-c", "import typer"], {}
    yield "import peft", [sys.executable, "-c", "import peft"], {}
    command = [sys.executable, "-m", "adapterkit"]
    place = {"ADAPTERKIT_REGISTRY": str(registry)}
    for verb in VERBS:
        yield f"adapterkit {verb}", [*command, *verb.split()], place
    for line in COMPLETED:
        words = ["adapterkit", *line.split()]
        asked = {
            "COMP_WORDS": "\n".join(words),
            "COMP_CWORD": str(len(words) - 1),
            "_ADAPTERKIT_COMPLETE": "complete_bash",
        }
        yield f"adapterkit {line}<TAB>", command, place | asked


if __name__ == "__main__":
    main()
