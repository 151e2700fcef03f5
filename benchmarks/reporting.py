"""What every benchmark reports: the machine, the versions, medians, and one JSON file."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any


def write_report(
    path: Path | None, results: Sequence[Mapping[str, Any]], ratios: Mapping[str, float], packages: Sequence[str]
) -> None:
    """Write `{"command", "measured", "machine", "versions", "results", "ratios"}`; nothing without a path."""
    if path is None:
        return
    report = {
        "command": " ".join(["python", *_without_json(sys.argv)]),
        "measured": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": machine(),
        "versions": {name: installed(name) for name in ("adapterkit", *packages)}
        | {"python": platform.python_version()},
        "results": list(results),
        "ratios": dict(ratios),
    }
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _without_json(words: Sequence[str]) -> list[str]:
    """What was asked for, apart from where to write it; the script as seen from the top of the repository."""
    script = f"benchmarks/{Path(words[0]).name}"
    asked = list(words[1:])
    if "--json" in asked:
        at = asked.index("--json")
        del asked[at : at + 2]
    return [script, *asked]


def machine() -> dict[str, Any]:
    """Processor, cores that this process may use, memory."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines() if Path("/proc/cpuinfo").is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cpu": names[0] if names else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory, 1),
    }


def seconds_of_process(
    command: Sequence[str], *, runs: int, env: Mapping[str, str] | None = None
) -> tuple[float, float, float]:
    """Run a command as a whole process several times; minimum, median and maximum of its wall time."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=env)
        times.append(time.perf_counter() - start)
    return min(times), statistics.median(times), max(times)


def installed(package: str) -> str | None:
    """The version of a package; null where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
