"""The table of a sweep over merges: one row a merge, kept beside its jobs as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from adapterkit.manifest import Manifest
from adapterkit.stores import replace_files, taking_from

COMPARISON = "comparison"


class Comparison:
    """What the sweep of this process came to, told after them; outside a sweep there is nothing to tell."""

    def __init__(self) -> None:
        """Begin without a row."""
        self._folder: Path | None = None

    def add(self, manifest: Manifest, folder: Path | None) -> None:
        """Write the table again with one more row; jobs of other processes may write to it as well.

        Args:
            manifest: of the merge.
            folder: of the sweep; null outside one.

        Raises:
            RegistryError: the disk refuses.
        """
        if folder is None:
            return
        self._folder = folder
        with taking_from(folder):
            rows = [*_rows(folder), _row(manifest)]
            told = {"txt": table(rows), "json": json.dumps(rows, indent=2)}
            replace_files(folder, {f"{COMPARISON}.{kind}": f"{text}\n".encode() for kind, text in told.items()})

    def told_after(self, jobs: Callable[[], Any]) -> Callable[[], None]:
        """The same jobs, with the table printed behind them, however many failed."""

        def run() -> None:
            try:
                jobs()
            finally:
                if self._folder is not None:
                    print(f"\n{table(_rows(self._folder))}\nKept as {self._folder / COMPARISON}.txt and .json")

        return run


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as text, in the order in which they were merged."""
    sources = list(dict.fromkeys(ref for row in rows for ref in row["kept"]))
    cells = [["method", "weights", "left out", *(f"kept of {ref}" for ref in sources), "ref"]]
    for row in rows:
        kept = [row["kept"].get(ref) for ref in sources]
        shares = ["" if share is None else f"{share:.1%}" for share in kept]
        weights = ", ".join(f"{weight:.4g}" for weight in row["weights"])
        cells.append([row["method"], weights, f"{row['left_out']:.1%}", *shares, row["ref"]])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("   ".join(map(str.ljust, line, widths)).rstrip() for line in cells)


def _row(manifest: Manifest) -> dict[str, Any]:
    merge, metrics = manifest.merge, manifest.metrics
    assert merge is not None
    refs = [str(member.ref) for member in manifest.merged_from]
    return {
        "ref": str(manifest.ref),
        "method": merge.method,
        "weights": list(merge.weights),
        "sources": refs,
        "options": dict(merge.options),
        "left_out": metrics["left_out_by_the_rank"],
        "kept": {ref: metrics[f"kept_{ref}"] for ref in refs if f"kept_{ref}" in metrics},
    }


def _rows(folder: Path) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = json.loads((folder / f"{COMPARISON}.json").read_text("utf-8"))
    except FileNotFoundError:
        return []
    return found
