"""Methods whose result is a sum of changes: exact where ranks may add up, optimal where they may not."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from adapterkit.errors import UsageError
from adapterkit.merging.factors import Factors
from adapterkit.merging.gram import gram
from adapterkit.merging.merge import MergeOptions, merge
from adapterkit.merging.methods.slerp import slerp
from tests.merging import reference
from tests.merging.sources import FAMILIES, SHAPES, Source, change, distance, family

WEIGHTS = (0.7, 0.3, 1.1)


def exact_of(method, changes, weights):
    if method == "average":
        return reference.average(changes)
    return reference.slerp(changes, weights) if method == "slerp" else reference.linear(changes, weights)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("method", ["average", "weighted", "slerp", "task_arithmetic"])
def test_rank_sum_is_exact(name, method):
    sources = family(name)
    weights = (1.0,) * len(sources) if method == "average" else WEIGHTS[: len(sources)]
    merged = merge([each.factors for each in sources], MergeOptions(method, weights, rank="sum"))
    assert list(merged.modules) == sorted(SHAPES)
    for layer, found in merged.modules.items():
        exact = exact_of(method, [each.dense(layer) for each in sources], weights)
        assert distance(found, exact) < 1e-12
        assert merged.errors[layer] == 0.0
        assert found.rank == sum(each.factors[layer].rank for each in sources)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("method", ["average", "weighted", "slerp"])
@pytest.mark.parametrize("rank", ["largest", 3, 1])
def test_a_smaller_rank_is_the_optimum(name, method, rank):
    sources = family(name)
    weights = (1.0,) * len(sources) if method == "average" else WEIGHTS[: len(sources)]
    merged = merge([each.factors for each in sources], MergeOptions(method, weights, rank=rank))
    for layer, found in merged.modules.items():
        exact = exact_of(method, [each.dense(layer) for each in sources], weights)
        most = max(each.factors[layer].rank for each in sources) if rank == "largest" else rank
        assert found.rank == most
        assert merged.errors[layer] == pytest.approx(reference.left_out(exact, most), rel=1e-9)
        assert distance(found, exact) == pytest.approx(merged.errors[layer], rel=1e-9)
        lengths = found.a.norm(dim=1), found.b.norm(dim=0)
        assert torch.allclose(*lengths), "singular values are shared out evenly"


def test_ranks_never_exceed_the_layer():
    wide = [{"l": change(30, 40, 50, seed=seed)} for seed in range(3)]
    found = merge(wide, MergeOptions("weighted", (1.0, 1.0, 1.0), rank="sum"))
    assert found.modules["l"].rank == 40
    assert distance(found.modules["l"], sum(each["l"].dense().numpy() for each in wide)) < 1e-12


def test_a_layer_that_a_source_lacks_is_unchanged_by_it():
    layer, other = sorted(SHAPES)[:2]
    sources = [Source(1), Source(2, without=[layer]), Source(3, without=[layer, other])]
    given = [each.factors for each in sources]
    for method, weights in (("average", (1.0,) * 3), ("task_arithmetic", (1.0, -2.0, 0.5))):
        merged = merge(given, MergeOptions(method, weights, rank="sum"))
        for name, found in merged.modules.items():
            assert distance(found, exact_of(method, [each.dense(name) for each in sources], weights)) < 1e-12
        assert merged.modules[layer].rank == 4
    # The angle to nothing is none: the chord.
    arc = merge(given[:2], MergeOptions("slerp", (3.0, 1.0)))
    assert distance(arc.modules[layer], 0.75 * sources[0].dense(layer)) < 1e-12


def test_normalize_and_scale():
    sources = [each.factors for each in family("equal")]
    plain = merge(sources, MergeOptions("weighted", (0.2, 0.3, 0.5), rank="sum"))
    normal = merge(sources, MergeOptions("weighted", (2.0, 3.0, 5.0), normalize=True, rank="sum"))
    scaled = merge(sources, MergeOptions("task_arithmetic", (0.1, 0.15, 0.25), scale=2.0, rank="sum"))
    for layer, found in plain.modules.items():
        assert distance(normal.modules[layer], found.dense().numpy()) < 1e-15
        assert distance(scaled.modules[layer], found.dense().numpy()) < 1e-15


def test_a_negative_weight_takes_away_what_was_learned():
    one, two = (each.factors for each in family("unequal")[:2])
    both = merge([one, two], MergeOptions("task_arithmetic", (1.0, 1.0), rank="sum")).modules
    alone = merge([both, two], MergeOptions("task_arithmetic", (1.0, -1.0), rank=2))
    for layer, found in alone.modules.items():
        assert distance(found, one[layer].dense().numpy()) < 1e-12
        assert alone.errors[layer] < 1e-12


def test_what_cancels_is_left_out():
    one = Source(1).factors
    layer = sorted(SHAPES)[0]
    rest = {name: factors for name, factors in one.items() if name != layer}
    merged = merge([one, {**rest, layer: one[layer].scaled(0.5)}], MergeOptions("task_arithmetic", (1.0, -1.0)))
    assert list(merged.modules) == [layer]
    with pytest.raises(UsageError, match=r"Nothing is left .* cancel"):
        merge([one, one], MergeOptions("task_arithmetic", (0.1, -0.1)))


def test_the_gram_matrix_is_that_of_the_dense_changes():
    changes = [change(rank, 30, 20, seed=rank) for rank in (1, 3, 5)]
    dense = [each.dense().numpy() for each in changes]
    assert np.allclose(gram([changes[0], None, *changes[1:]])[np.ix_((0, 2, 3), (0, 2, 3))],
                       [[np.vdot(one, other) for other in dense] for one in dense], rtol=1e-12)  # fmt: skip
    assert not gram([None, changes[0]])[0].any()
    assert gram([None, None]).shape == (2, 2)


def test_slerp_keeps_the_length_of_equally_long_changes_where_the_mean_does_not():
    one = Factors(torch.eye(2, 8, dtype=torch.float64), torch.eye(8, 2, dtype=torch.float64))
    two = Factors(torch.eye(8, dtype=torch.float64)[4:6], torch.eye(8, 2, dtype=torch.float64))
    merged = merge([{"l": one}, {"l": two}], MergeOptions("slerp", (1.0, 1.0), rank="sum")).modules["l"]
    assert merged.dense().norm().item() == pytest.approx(one.dense().norm().item(), rel=1e-12)
    mean = merge([{"l": one}, {"l": two}], MergeOptions("average", (1.0, 1.0), rank="sum")).modules["l"]
    assert mean.dense().norm().item() == pytest.approx(one.dense().norm().item() / math.sqrt(2), rel=1e-12)


@pytest.mark.parametrize("angle", [0.0, 1e-9, 9e-5, 1.1e-4, 1e-2, 3.0])
def test_slerp_of_nearly_parallel_changes(angle):
    products = torch.tensor([[1.0, math.cos(angle)], [math.cos(angle), 1.0]], dtype=torch.float64)
    first, second = slerp((1.0, 3.0), products)
    assert first == pytest.approx(math.sin(0.25 * angle) / math.sin(angle) if angle else 0.25, rel=1e-7)
    assert second == pytest.approx(math.sin(0.75 * angle) / math.sin(angle) if angle else 0.75, rel=1e-7)


def test_slerp_of_opposites_is_refused_with_the_layer():
    one = Source(1).factors
    against = {name: factors.scaled(-2.0) for name, factors in one.items()}
    with pytest.raises(UsageError, match=r"^layers\.0\.q_proj: Source 2 points in the opposite direction"):
        merge([one, against], MergeOptions("slerp", (1.0, 1.0)))


def test_slerp_at_the_ends_is_a_source():
    one, two = (each.factors for each in family("unequal")[:2])
    for weights, source in (((2.0, 0.0), one), ((0.0, 2.0), two)):
        merged = merge([one, two], MergeOptions("slerp", weights))
        for layer, found in merged.modules.items():
            assert distance(found, source[layer].dense().numpy()) < 1e-14
