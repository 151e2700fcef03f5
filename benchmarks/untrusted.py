"""How long it takes to refuse what must be refused, and how many damages are found: the tables of the tests, timed.

python benchmarks/untrusted.py --json untrusted.json
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from reporting import write_report

from adapterkit import AdapterRef, verify
from adapterkit.artifacts import parse_adapter_config, yaml_problem
from adapterkit.errors import AdapterKitError
from adapterkit.manifest import MANDATORY_FILES

TESTS = Path(__file__).parents[1] / "tests"
_VERSIONED = ("pyyaml", "safetensors", "cryptography")
_LIMIT = 0.1
Attempt = Callable[[], object]


def main() -> None:
    """Run every table and print, for each, how many rows were refused and the slowest of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="a tenth of the flips")
    arguments = parser.parse_args()
    sys.path.insert(0, str(TESTS))
    with tempfile.TemporaryDirectory() as scratch:
        results = [timed(name, rows) for name, rows in tables(Path(scratch))]
        results += [timed(name, rows) for name, rows in damages(Path(scratch), 100 if arguments.quick else 1000)]
    print(f"{'table':<32}{'rows':>7}{'refused':>9}{'slowest':>11}   which")
    for row in results:
        print(f"{row['table']:<32}{row['rows']:>7}{row['refused']:>9}{row['slowest_ms']:>8.1f} ms   {row['which']}")
    ratios = {row["table"]: row["refused"] / row["rows"] for row in results}
    write_report(arguments.json, results, ratios, _VERSIONED)
    if any(row["refused"] < row["rows"] for row in results):
        sys.exit("Something was not refused.")


def timed(table: str, rows: Iterator[tuple[str, Attempt]]) -> dict[str, Any]:
    """Try every row; an attempt refuses by an error of the family, or by returning something true."""
    count = refused = over = 0
    slowest, which = 0.0, ""
    for name, attempt in rows:
        start = time.perf_counter()
        try:
            found = bool(attempt())
        except AdapterKitError:
            found = True
        seconds = time.perf_counter() - start
        count, refused, over = count + 1, refused + found, over + (seconds > _LIMIT)
        if seconds > slowest:
            slowest, which = seconds, name
    return {
        "table": table,
        "rows": count,
        "refused": refused,
        "slowest_ms": round(1000 * slowest, 3),
        "over_100_ms": over,
        "which": ascii(which[:40]),
    }


def tables(scratch: Path) -> Iterator[tuple[str, Iterator[tuple[str, Attempt]]]]:
    """The hostile rows, each alone with the parser it is meant for, or as a whole artifact."""
    configs = import_module("untrusted.bad_configs").BAD_CONFIGS
    payloads = import_module("untrusted.bad_yaml").BAD_YAML
    names = import_module("untrusted.bad_names")
    yield "adapter configs", ((row, lambda data=data: not parse_adapter_config(data)) for row, data in configs.items())
    yield "YAML payloads", ((row, lambda data=data: yaml_problem(data)) for row, data in payloads.items())
    refs = (*names.BAD_NAMES, *names.BAD_REFS)
    yield "names and refs", ((ref, lambda ref=ref: not AdapterRef.parse(ref)) for ref in refs)
    paths = (*names.BAD_PATHS, *refs)
    empty = scratch / "empty"
    yield (
        "paths, names, refs to verify",
        ((path, lambda path=path: not verify(path, registry=empty).ok) for path in paths),
    )
    yield "planted in a folder", planted(scratch, names.INTRUDERS)


def planted(scratch: Path, intruders: dict[str, Callable[[Path], None]]) -> Iterator[tuple[str, Attempt]]:
    """A fresh copy of an artifact for each intruder; only the verification is timed."""
    for number, (row, plant) in enumerate(intruders.items()):
        registry = scratch / f"planted-{number}"
        shutil.copytree(TESTS / "golden" / "schema_1", registry)
        artifact = registry / "unified" / "1.0.0"
        plant(artifact)
        yield row, lambda artifact=artifact, registry=registry: not verify(artifact, registry=registry).ok


def damages(scratch: Path, flips: int) -> Iterator[tuple[str, Iterator[tuple[str, Attempt]]]]:
    """Flipped bits and cuts of each mandatory file of a child; refused means that exactly the file is blamed."""
    damage = import_module("untrusted.damage")
    registry = scratch / "damaged"
    shutil.copytree(TESTS / "golden" / "schema_1", registry)
    artifact = registry / "persona_ada" / "1.0.0"
    sizes = {file: (artifact / file).stat().st_size for file in MANDATORY_FILES}
    bits = [(file, *bit) for file, size in sizes.items() for bit in damage.flips(file, size, flips)]
    yield (
        "single-bit flips",
        ((f"{file} {byte}.{bit}", blames(artifact, file, damage.flipped, byte, bit)) for file, byte, bit in bits),
    )
    ends = [(file, end) for file, size in sizes.items() for end in damage.cuts(size)]
    yield "cut at every 64 bytes", ((f"{file} {end}", blames(artifact, file, damage.cut, end)) for file, end in ends)


def blames(
    artifact: Path, file: str, damage: Callable[..., contextlib.AbstractContextManager[None]], *where: int
) -> Attempt:
    """An attempt that damages a file, verifies the artifact with its parent, and takes the damage back."""

    def attempt() -> bool:
        with damage(artifact / file, *where):
            report = verify(artifact, registry=artifact.parents[1])
        return not report.ok and {problem.file for problem in report.problems} == {file}

    return attempt


if __name__ == "__main__":
    main()
