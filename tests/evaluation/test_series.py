from __future__ import annotations

import math
import random
from pathlib import Path

import pytest

from adapterkit.evaluation.report.chart import Curve, chart, ticks
from adapterkit.evaluation.series import Curves, Series, number
from adapterkit.training.curves import draw_curves


def history(steps: int, every: int = 1) -> list[dict[str, float]]:
    draw = random.Random(7)
    found: list[dict[str, float]] = []
    for step in range(every, steps + 1, every):
        loss = 3 + math.exp(-3 * step / steps) + draw.gauss(0, 0.1)
        rate = {"learning_rate": 3e-4 * (1 - step / steps), "grad_norm": draw.random(), "tokens_per_second": 290.0}
        found.append({"step": step, "loss": loss, **rate})
        if step % (10 * every) == 0:
            found.append({"step": step, "eval_loss": 3.5 + (step / steps - 0.5) ** 2})
    return found


def test_a_series_is_sorted_and_takes_the_last_of_a_step_that_was_trained_twice() -> None:
    logged = [
        {"step": 2, "loss": 1.0},
        {"step": 1, "loss": 3.0},
        {"step": 2, "loss": 2.0},
        {"step": 3, "loss": math.nan},
    ]
    assert Series.of(logged, "loss").points == ((1.0, 3.0), (2.0, 2.0))
    assert not Series.of(logged, "eval_loss")


def test_the_mean_is_that_of_the_window_and_of_few_points_there_is_none() -> None:
    line = Series(tuple((float(x), 2.0 * x) for x in range(1000)))
    mean = line.smoothed()
    assert mean is not None
    assert mean.points[500] == (500.0, pytest.approx(1000.0))
    assert mean.points[0] == (0.0, pytest.approx(10.0))
    assert Series(line.points[:50]).smoothed() is None


def test_a_thinned_series_keeps_every_spike() -> None:
    points = [(float(x), 1.0) for x in range(10_000)]
    points[7777], points[13] = (7777.0, 99.0), (13.0, -99.0)
    thin = Series(tuple(points)).thinned(600)
    assert len(thin.points) <= 602
    assert {(7777.0, 99.0), (13.0, -99.0)} <= set(thin.points)
    assert list(thin.points) == sorted(thin.points)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (3.21, 3.69, [3.3, 3.4, 3.5, 3.6]),
        (0, 3e-4, [0, 1e-4, 2e-4, 3e-4]),
        (-0.1, 0.03, [-0.1, -0.05, 0]),
        (5, 5, [5]),
    ],
)  # fmt: skip
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high, 5) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("value", "told"),
    [(0.0, "0"), (3.25, "3.25"), (3e-4, "3e-4"), (2.5e-5, "2.5e-5"), (12345.6, "12,346"), (1e9, "1e9")],
)
def test_numbers(value: float, told: str) -> None:
    assert number(value) == told


def test_every_tick_and_point_lies_in_the_plot() -> None:
    for steps in (1, 3, 40, 2000):
        curves = Curves.of(history(steps))
        asked = [Curve("a", "training", curves.loss), Curve("b", "validation", curves.validation, best=True)]
        made = chart("loss", asked, last_step=curves.last_step)
        assert made is not None
        assert all(0 <= tick.at <= 100 for tick in [*made.xs, *made.ys])
        numbers = [
            float(n)
            for line in made.lines
            for n in line.path.replace("h0", "").replace("M", " ").replace("L", " ").split()
        ]
        assert all(0 <= n <= 1000 for n in numbers)
    assert chart("nothing", [Curve("a", "plain", Series(()))], last_step=1) is None


@pytest.mark.parametrize("steps", [0, 1, 3, 10_000])
def test_a_picture_is_drawn_of_any_history_and_is_the_same_again(tmp_path: Path, steps: int) -> None:
    logged = history(steps, max(steps // 2000, 1))
    for name in ("one.png", "two.png"):
        draw_curves(logged, tmp_path / name, title="of $math_ and <b> " + "x" * 200)
    drawn = (tmp_path / "one.png").read_bytes()
    assert drawn.startswith(b"\x89PNG")
    assert drawn == (tmp_path / "two.png").read_bytes()
