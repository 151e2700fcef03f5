"""What makes no sense is refused before anything is computed, with what to do instead."""

from __future__ import annotations

import math

import pytest
import torch

from adapterkit.errors import UnknownNameError, UsageError
from adapterkit.merging.asked import checked, weights_of
from adapterkit.merging.factors import Factors
from adapterkit.merging.merge import MergeOptions, merge
from adapterkit.merging.methods import METHODS
from tests.merging.sources import change

TWO = (1.0, 1.0)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (MergeOptions("ties", (1.0,)), "1 weight for 2 adapters"),
        (MergeOptions("ties", (1.0, math.nan)), "must be numbers"),
        (MergeOptions("ties", (1.0, math.inf)), "must be numbers"),
        (MergeOptions("ties", TWO, scale=math.nan), "must be numbers"),
        (MergeOptions("weighted", (1e300, 1.0)), r"1e\+300 is no weight"),
        (MergeOptions("weighted", TWO, scale=-2e6), r"2e\+06 is no weight"),
        (MergeOptions("dare", TWO, density=1e-9), r"density=1e-09: .* 1/65536 is the least"),
        (MergeOptions("dare_ties", TWO, density=1e-9), r"1/65536 is the least"),
        (MergeOptions("ties", TWO, density=0.0), "density=0 is the share"),
        (MergeOptions("ties", TWO, density=1.01), "above 0, and 1 at most"),
        (MergeOptions("dare", TWO, density=math.nan), "density=nan"),
        (MergeOptions("dare", TWO, seed=-1), "seed=-1"),
        (MergeOptions("ties", TWO, rank=0), "rank=0: give a number"),
        (MergeOptions("ties", TWO, rank="half"), "rank=half"),  # type: ignore[arg-type]
        (MergeOptions("ties", TWO, rank="sum"), "ties masks single entries"),
        (MergeOptions("average", TWO, rank="sum", on="factors"), "use rank=largest"),
        (MergeOptions("average", TWO, on="both"), "on=both"),  # type: ignore[arg-type]
        (MergeOptions("average", (1.0, 2.0)), r"An average takes all alike, .* method=weighted with normalize=true"),
        (MergeOptions("average", (0.0, 0.0)), "An average of weights 0 is nothing"),
        (MergeOptions("weighted", (1.0, -1.0), normalize=True), "add up to zero"),
        (MergeOptions("weighted", (0.1, 0.2), normalize=False, rank=-3), "rank=-3"),
        (MergeOptions("slerp", (1.0, -1.0)), r"slerp takes no weight below zero, .* weighted, task_arithmetic"),
        (MergeOptions("ties", (1.0, -1.0)), "ties takes no weight below zero"),
        (MergeOptions("weighted", (0.0, 0.0)), "Nothing is left"),
        (MergeOptions("ties", (0.0, 0.0)), "Nothing is left"),
        (MergeOptions("weighted", TWO, scale=0.0), "Nothing is left"),
        (MergeOptions("dare", TWO, scale=0.0), "Nothing is left"),
    ],
)
def test_refused(options, told):
    with pytest.raises(UsageError, match=told):
        merge([{"l": change(2, 6, 5)}, {"l": change(3, 6, 5, seed=1)}], options)


def test_nothing_to_merge():
    with pytest.raises(UsageError, match="nothing to merge"):
        merge([], MergeOptions("ties", ()))


def test_an_unknown_method_names_the_nearest():
    with pytest.raises(UnknownNameError, match=r"Unknown merge method 'tie'\. Did you mean ties") as raised:
        checked(MergeOptions("tie", TWO), 2)
    assert raised.value.nearest[0] == "ties"
    assert list(METHODS) == ["average", "weighted", "slerp", "task_arithmetic", "ties", "dare", "dare_ties"]


@pytest.mark.parametrize("method", METHODS)
def test_layers_of_different_shapes(method):
    with pytest.raises(UsageError, match=r"l has different shapes \(source 1 6 x 5, source 3 6 x 7\)"):
        merge([{"l": change(2, 6, 5)}, {}, {"l": change(2, 6, 7)}], MergeOptions(method, (1.0,) * 3))


@pytest.mark.parametrize("method", METHODS)
def test_numbers_that_are_none(method):
    bad = change(2, 6, 5)
    bad.b[0, 0] = math.nan
    with pytest.raises(UsageError, match="l: source 2 holds NaN"):
        merge([{"l": change(2, 6, 5)}, {"l": bad}], MergeOptions(method, TWO))


def test_factors_take_equal_ranks():
    with pytest.raises(UsageError, match=r"^l: on=factors .* equal ranks, and these are 2, 3: use on=deltas"):
        merge([{"l": change(2, 6, 5)}, {"l": change(3, 6, 5)}], MergeOptions("ties", TWO, on="factors"))


def test_weights_are_normalized_only_on_request():
    assert weights_of(MergeOptions("weighted", (1.0, 3.0))) == (1.0, 3.0)
    assert weights_of(MergeOptions("weighted", (1.0, 3.0), normalize=True)) == (0.25, 0.75)
    assert weights_of(MergeOptions("weighted", (3.0, -1.0), normalize=True)) == (1.5, -0.5)


@pytest.mark.parametrize("method", METHODS)
def test_edges(method):
    tiny = [{"l": change(1, 1, 1).scaled(scale)} for scale in (1.0, 2.0)]
    assert merge(tiny, MergeOptions(method, TWO, density=1.0)).modules["l"].shape == (1, 1)
    zero = Factors(torch.zeros(2, 5, dtype=torch.float64), torch.zeros(6, 2, dtype=torch.float64))
    found = merge([{"l": change(1, 6, 5)}, {"l": zero}], MergeOptions(method, TWO, density=1.0))
    assert found.modules["l"].rank <= 2
    alone = merge([{"l": change(3, 6, 5)}], MergeOptions(method, (1.0,), density=1.0, rank=50))
    assert alone.modules["l"].rank <= 5
    assert alone.errors["l"] < 1e-6


def test_progress_is_told_after_each_layer():
    told = []
    source = {name: change(1, 6, 5) for name in "abc"}
    merge([source], MergeOptions("weighted", (1.0,)), layer_done=lambda done, of: told.append((done, of)))
    assert told == [(1, 3), (2, 3), (3, 3)]
