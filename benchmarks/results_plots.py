"""The drawings of docs/results.md: bars of speed and memory, and what every recipe gains."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

_NATS = (0.03, 0.1, 0.3, 1, 3)
_TIMES = (1, 10, 100, 1000)
_OURS, _OTHERS, _LINE = "#0b6e4f", "#9aa5b1", "#52606d"
_STYLE = {
    "svg.fonttype": "none", "svg.hashsalt": "adapterkit", "font.family": "sans-serif", "font.size": 10,
    "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": _LINE, "axes.labelcolor": _LINE,
    "xtick.color": _LINE, "ytick.color": _LINE,
}  # fmt: skip


def throughput(report: Mapping[str, Any], path: Path) -> None:
    """Real tokens a second and peak memory of every contestant."""
    rows = [row for row in report["results"] if "contestant" in row][::-1]
    names = [row["contestant"] for row in rows]
    colours = [_OURS if name == "adapterkit" else _OTHERS for name in names]
    with mpl.rc_context(_STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(9, 2.6), sharey=True, layout="constrained")
        for axis, key, scale, told in (
            (left, "tokens_per_second", 1, "real tokens a second: more is better"),
            (right, "peak_rss_mb", 1e3, "peak memory, GB: less is better"),
        ):
            values = [row[key] / scale for row in rows]
            bars = axis.barh(names, values, color=colours)
            axis.bar_label(bars, [f"{value:,.0f}" if scale == 1 else f"{value:.1f}" for value in values], padding=3)
            axis.set_title(told, fontsize=10, color=_LINE, loc="left")
            axis.margins(x=0.15)
        _save(figure, path)


def merge(report: Mapping[str, Any], path: Path) -> None:
    """How many times as fast as PEFT every method is, at the same rank."""
    rows = [row for row in report["results"] if "times" in row][::-1]
    with mpl.rc_context(_STYLE):
        figure, axis = plt.subplots(figsize=(7, 2.6), layout="constrained")
        bars = axis.barh([row["method"] for row in rows], [row["times"] for row in rows], color=_OURS)
        axis.bar_label(bars, [f"{row['times']:,.0f}" for row in rows], padding=3)
        axis.set_xscale("log")
        axis.set_xticks(_TIMES, map(str, _TIMES))
        axis.axvline(1, color=_LINE, linewidth=1)
        axis.set_title("times as fast as PEFT's kind, on the same modules", fontsize=10, color=_LINE, loc="left")
        axis.margins(x=0.1)
        _save(figure, path)


def families(report: Mapping[str, Any], path: Path) -> None:
    """The change of the test loss with its interval, a family a line."""
    rows = [row for row in report["results"] if "change" in row][::-1]
    with mpl.rc_context(_STYLE):
        figure, axis = plt.subplots(figsize=(7, 0.22 * len(rows) + 0.8), layout="constrained")
        middle = [-row["change"] for row in rows]
        errors = [
            [row["ci95_high"] - row["change"] for row in rows],
            [row["change"] - row["ci95_low"] for row in rows],
        ]
        axis.errorbar(middle, range(len(rows)), xerr=errors, fmt="o", color=_OURS, ecolor=_LINE, markersize=4)
        axis.set_yticks(range(len(rows)), [row["family"] for row in rows])
        axis.set_xscale("log")
        axis.set_xticks(_NATS, map(str, _NATS))
        axis.set_title(
            "nats a token gained over the parent alone, with 95 % interval", fontsize=10, color=_LINE, loc="left"
        )
        axis.grid(axis="x", color="#e4e7eb")
        _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


PLOTS: Mapping[str, Callable[[Mapping[str, Any], Path], None]] = {
    "throughput": throughput,
    "merge": merge,
    "families": families,
}
