"""The picture of one training: losses large, and below them learning rate, gradient norm and tokens a second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adapterkit.evaluation.series import Curves, Series, number

_BLUE, _ORANGE, _GREY = "#2563ab", "#d9731a", "#5b6470"
_COLOURS = 48
# Fixed places: to let matplotlib find them takes longer than to draw.
_PLACES = {"left": 0.075, "right": 0.985, "bottom": 0.055, "top": 0.885, "wspace": 0.28, "hspace": 0.36}
_STYLE: Any = {
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#9aa3ad",
    "axes.labelcolor": _GREY,
    "xtick.color": _GREY,
    "ytick.color": _GREY,
    "grid.color": "#e3e7eb",
    "legend.frameon": False,
}


def draw_curves(history: Sequence[Mapping[str, Any]], path: Path, *, title: str) -> None:
    """Write a PNG of what was logged, over optimizer steps.

    Args:
        history: the Trainer's log history; losses in nats a token.
        path: where the PNG goes.
        title: what was trained.
    """
    import matplotlib
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    curves = Curves.of(history)
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(8, 5.6))
        canvas = FigureCanvasAgg(figure)
        figure.suptitle(_short(title), fontsize=12, x=0.01, y=0.99, ha="left", parse_math=False)
        loss, *small = figure.subplot_mosaic(
            [["loss"] * 3, ["rate", "norm", "pace"]], height_ratios=[2.2, 1], gridspec_kw=_PLACES
        ).values()  # fmt: skip
        _draw_losses(loss, curves)
        named = {
            "learning rate": curves.learning_rate,
            "gradient norm": curves.grad_norm,
            "tokens a second": curves.tokens_per_second,
        }
        for axes, (name, series) in zip(small, named.items(), strict=True):
            _draw(axes, series, _GREY, smooth=name != "learning rate")
            _frame(axes, curves.last_step, name, has_data=bool(series))
            if series and (most := max(value for _, value in series.points)) > 0:
                axes.set_ylim(0, 1.1 * most)
        figure.set_dpi(130)
        canvas.draw()  # type: ignore[no-untyped-call]
        # A few dozen colours are a quarter of the bytes in every artifact; without a version, the same history is the
        # same file.
        drawn = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
        picture = Image.fromarray(drawn).convert("RGB")
        picture.quantize(_COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(path, optimize=True)


def _draw_losses(axes: Any, curves: Curves) -> None:
    _draw(axes, curves.loss, _BLUE, label="training")
    if curves.validation:
        _draw(axes, curves.validation, _ORANGE, label="validation", smooth=False)
        step, lowest = curves.validation.lowest()
        best = f"best: {lowest:.3f} at step {step:,.0f}"
        axes.plot([step], [lowest], "o", markersize=11, mfc="none", mec=_ORANGE, mew=1.5, label=best)
    _frame(axes, curves.last_step, "loss, nats a token", has_data=bool(curves.loss or curves.validation))
    axes.set_xlabel("optimizer step")
    if axes.get_legend_handles_labels()[0]:
        # Above the plot, where it hides no point.
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=3, borderaxespad=0.2, columnspacing=1.4)


def _draw(axes: Any, series: Series, color: str, *, label: str | None = None, smooth: bool = True) -> None:
    """A line, with its points where they are few; where they are many, their mean over the noise they make."""
    if not series:
        return
    mean = series.smoothed() if smooth else None
    xs, ys = zip(*series.points, strict=True)
    if mean is None:
        axes.plot(xs, ys, color=color, label=label, marker=_marker(series), markersize=4, linewidth=1.6)
        return
    axes.plot(xs, ys, color=color, alpha=0.28, linewidth=0.7)
    axes.plot(*zip(*mean.points, strict=True), color=color, label=label, linewidth=1.8)


def _marker(series: Series) -> str | None:
    return "o" if len(series.points) <= 25 else None


def _frame(axes: Any, last_step: float, name: str, *, has_data: bool) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.set_title(name, loc="left", color="#222222")
    margin = max(last_step * 0.02, 0.15)
    axes.set_xlim(min(1.0, last_step) - margin, last_step + margin)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True, min_n_ticks=1))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,.0f}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axes.grid(axis="y")
    if not has_data:
        axes.set_yticks([])
        axes.text(0.5, 0.5, "not logged", transform=axes.transAxes, ha="center", va="center", color=_GREY)


def _short(title: str) -> str:
    return title if len(title) <= 70 else title[:69] + "\N{HORIZONTAL ELLIPSIS}"
