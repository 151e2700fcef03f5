"""Merges that mask: the loss by the rank is told and is the least there is; the same merge is the same bits."""

from __future__ import annotations

import hashlib

import pytest
import torch

from adapterkit.errors import UsageError
from adapterkit.merging.factors import Factors
from adapterkit.merging.merge import MergeOptions, merge
from tests.merging import reference
from tests.merging.sources import FAMILIES, SHAPES, Source, change, distance, family

MASKED = ["ties", "dare", "dare_ties"]


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("method", MASKED)
@pytest.mark.parametrize("rank", ["largest", 2])
def test_truncated_to_within_one_percent_of_the_optimum(name, method, rank):
    sources = family(name)
    weights = (0.7, 0.3, 1.1)[: len(sources)]
    merged = merge([each.factors for each in sources], MergeOptions(method, weights, density=0.4, seed=9, rank=rank))
    assert list(merged.modules) == sorted(SHAPES)
    for layer, found in merged.modules.items():
        changes = [each.dense(layer) for each in sources]
        drawn = () if method == "ties" else (reference.seeds(9, layer, len(sources)),)
        exact = getattr(reference, method)(changes, weights, 0.4, *drawn)
        most = max(each.factors[layer].rank for each in sources) if rank == "largest" else rank
        assert found.rank == most
        best = reference.left_out(exact, most)
        assert best * 0.9999 <= distance(found, exact) <= best * 1.01
        assert merged.errors[layer] == pytest.approx(distance(found, exact), rel=1e-4)


@pytest.mark.parametrize("method", ["average", "slerp", *MASKED])
@pytest.mark.parametrize("on", ["deltas", "factors"])
def test_the_same_merge_is_the_same_bits(method, on):
    sources = [{"wide": change(4, 700, 520, seed=seed)} for seed in range(2)]
    digests = set()
    for _ in range(3):
        found = merge(sources, MergeOptions(method, (1.0, 1.0), density=0.3, seed=4, on=on)).modules["wide"]
        digests.add(hashlib.sha256(found.a.numpy().tobytes() + found.b.numpy().tobytes()).hexdigest())
    assert len(digests) == 1


@pytest.mark.parametrize("method", ["dare", "dare_ties"])
def test_another_seed_another_layer_or_another_place_is_another_draw(method):
    one = change(3, 60, 50)
    options = MergeOptions(method, (1.0, 1.0), density=0.5, seed=1)
    found = merge([{"l": one, "m": one}, {"l": one, "m": one}], options).modules
    assert not torch.equal(found["l"].a, found["m"].a)
    other = merge([{"l": one}], MergeOptions(method, (1.0,), density=0.5, seed=2)).modules
    again = merge([{"l": one}], MergeOptions(method, (1.0,), density=0.5, seed=1)).modules
    assert not torch.equal(other["l"].a, again["l"].a)
    # The draws of a layer do not depend on which other layers there are, nor a source's on a source of weight zero.
    alone = merge([{"l": one}, {"l": one}], options).modules
    assert torch.equal(alone["l"].a, found["l"].a)
    weightless = merge([{"l": one}, {"l": one}], MergeOptions(method, (1.0, 0.0), density=0.5, seed=1)).modules
    assert torch.equal(weightless["l"].a, again["l"].a)


@pytest.mark.parametrize("method", MASKED)
def test_one_source_whole_is_that_source(method):
    source = Source(1)
    merged = merge([source.factors], MergeOptions(method, (3.0,), density=1.0))
    # TIES takes a mean, in which a single weight counts for nothing; DARE a sum.
    weight = 3.0 if method == "dare" else 1.0
    for layer, found in merged.modules.items():
        assert found.rank == 4
        assert distance(found, weight * source.dense(layer)) < 1e-6
        assert merged.errors[layer] < 1e-6


@pytest.mark.parametrize("method", MASKED)
def test_a_change_of_zero(method):
    one = change(3, 20, 30)
    zero = Factors(one.a, torch.zeros_like(one.b))
    merged = merge([{"l": one, "m": zero}, {"l": zero, "m": zero}], MergeOptions(method, (1.0, 1.0), density=1.0))
    assert list(merged.modules) == ["l"]
    assert distance(merged.modules["l"], one.dense().numpy()) < 1e-6
    with pytest.raises(UsageError, match="Nothing is left"):
        merge([{"m": zero}], MergeOptions(method, (1.0,)))


def test_a_rank_beyond_the_sum_keeps_more():
    sources = [{"l": change(2, 90, 70, seed=seed)} for seed in range(2)]
    errors = [
        merge(sources, MergeOptions("ties", (1.0, 1.0), density=0.3, rank=rank)).errors["l"] for rank in (2, 8, 70)
    ]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-6


def test_scale_multiplies_what_is_merged():
    sources = [{"l": change(2, 30, 20, seed=seed)} for seed in range(2)]
    plain, twice = (merge(sources, MergeOptions("ties", (1.0, 1.0), scale=scale)) for scale in (1.0, 2.0))
    assert distance(twice.modules["l"], 2 * plain.modules["l"].dense().numpy()) < 1e-12
    assert twice.errors == plain.errors
