"""TIES and DARE against the papers' formulas: every mask is the same, entry by entry."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adapterkit.merging.factors import Factors
from adapterkit.merging.masks import blocks
from adapterkit.merging.masks import largest as trimming
from adapterkit.merging.masks.blocks import row_blocks
from adapterkit.merging.masks.dropped import dropped
from adapterkit.merging.masks.largest import largest
from adapterkit.merging.methods import METHODS, Masked
from tests.merging import reference
from tests.merging.sources import FAMILIES, SHAPES, change, distance, family

# Above 2^18 entries the threshold is looked for where a sample shows it.
LARGE = (700, 520)


def mask_of(change, mask):
    """A mask on the whole of a change, block by block."""
    return torch.cat([mask(change.dense(rows), rows) for rows in row_blocks(change.shape)]).numpy()


def uneven(rank, outputs, inputs, *, seed=0):
    """A change whose large entries sit in a few rows and columns."""
    plain = change(rank, outputs, inputs, seed=seed)
    draw = torch.Generator().manual_seed(seed + 100)
    rows, columns = (
        torch.exp(1.5 * torch.randn(size, generator=draw, dtype=torch.float64)) for size in (outputs, inputs)
    )
    return Factors(plain.a * columns, plain.b * rows[:, None])


@pytest.mark.parametrize("make", [change, uneven])
@pytest.mark.parametrize("density", [1e-6, 0.003, 0.2, 0.5, 0.97, 1.0])
@pytest.mark.parametrize(("rank", "shape"), [(1, (9, 7)), (16, LARGE), (1, LARGE)])
def test_trim_keeps_exactly_the_largest(make, density, rank, shape):
    given = make(rank, *shape)
    dense = given.dense().numpy()
    kept = mask_of(given, largest(given, density))
    mask = reference.trim_mask(dense, density)
    assert np.array_equal(kept != 0, mask)
    assert np.count_nonzero(mask) == max(1, round(density * dense.size))
    assert np.array_equal(kept[mask], dense[mask])


@pytest.mark.parametrize("shape", [(12, 10), LARGE])
@pytest.mark.parametrize("density", [0.01, 0.25, 0.5, 0.9])
def test_of_equal_entries_the_first_ones_stay(shape, density):
    draw = torch.Generator().manual_seed(1)
    # Small whole numbers: products are exact, most magnitudes are shared by thousands of entries, and some are zero.
    a, b = (torch.randint(-2, 3, size, generator=draw, dtype=torch.float64) for size in ((2, shape[1]), (shape[0], 2)))
    given = Factors(a, b)
    dense = given.dense().numpy()
    trimmed = np.where(reference.trim_mask(dense, density), dense, 0)
    assert np.array_equal(mask_of(given, largest(given, density)), trimmed)


def test_a_change_whose_entries_are_all_equal():
    given = Factors(torch.ones(1, LARGE[1], dtype=torch.float64), torch.ones(LARGE[0], 1, dtype=torch.float64))
    kept = mask_of(given, largest(given, 0.3)).ravel()
    assert kept[: round(0.3 * kept.size)].all()
    assert not kept[round(0.3 * kept.size) :].any()


def test_the_sample_decides_only_how_fast_the_threshold_is_found(monkeypatch):
    given = change(8, *LARGE)
    right = largest(given, 0.2)
    passes = []
    looked = trimming._between

    def counted(*arguments):
        passes.append(arguments)
        return looked(*arguments)

    monkeypatch.setattr(trimming, "_between", counted)
    assert largest(given, 0.2) == right
    assert len(passes) == 1
    for wrong in (0.0, 1e9):
        monkeypatch.setattr(trimming, "_sample", lambda change, wrong=wrong: np.full(5000, wrong))
        assert largest(given, 0.2) == right
    assert len(passes) > 3


@settings(max_examples=60, deadline=None)
@given(
    outputs=st.integers(1, 9),
    inputs=st.integers(1, 9),
    rank=st.integers(1, 4),
    density=st.floats(0.001, 1),
    seed=st.integers(0, 1000),
)
def test_trim_of_any_small_change(outputs, inputs, rank, density, seed):
    draw = torch.Generator().manual_seed(seed)
    a, b = (
        torch.randint(-1, 2, size, generator=draw, dtype=torch.float64) for size in ((rank, inputs), (outputs, rank))
    )
    given = Factors(a, b)
    dense = given.dense().numpy()
    trimmed = np.where(reference.trim_mask(dense, density), dense, 0)
    assert np.array_equal(mask_of(given, largest(given, density)), trimmed)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (7, 3), (130, 1023), LARGE])
@pytest.mark.parametrize("density", [1e-9, 0.1, 0.5, 1.0])
def test_dare_keeps_what_the_stream_says(shape, density):
    ones = Factors(torch.ones(1, shape[1], dtype=torch.float64), torch.ones(shape[0], 1, dtype=torch.float64))
    mask = dropped(density, seed=12345)
    kept = mask_of(ones, mask) != 0
    assert np.array_equal(kept, reference.drop_mask(shape, mask.probability, 12345))
    assert abs(kept.mean() - density) < 5 * max(1e-5, density * (1 - density) / kept.size) ** 0.5


def test_the_draws_do_not_depend_on_the_size_of_a_block(monkeypatch):
    given = change(2, *LARGE)
    masks = {}
    for entries in (1 << 10, 1 << 17):
        monkeypatch.setattr(blocks, "_ENTRIES", entries)
        masks[entries] = mask_of(given, dropped(0.3, seed=7)) != 0
    assert np.array_equal(*masks.values())


def test_the_raw_stream_is_the_one_that_numpy_promises():
    # numpy's own test data (numpy/random/tests/data/pcg64-testset-1.csv begins so): what all merges of DARE rest on.
    first = np.random.PCG64(0xDEADBEAF).random_raw(3)
    assert [hex(each) for each in first] == ["0x60d24054e17a0698", "0xd5e79d89856e4f12", "0xd254972fe64bd782"]


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("method", ["ties", "dare", "dare_ties"])
@pytest.mark.parametrize("density", [0.2, 0.7, 1.0])
def test_the_dense_merge_is_the_papers(name, method, density):
    sources = family(name)
    weights, seeds = (0.7, 0.3, 1.1)[: len(sources)], [3, 5, 8][: len(sources)]
    function = METHODS[method]
    assert isinstance(function, Masked)
    for layer in SHAPES:
        changes = [each.dense(layer) for each in sources]
        drawn = () if method == "ties" else (seeds,)
        exact = getattr(reference, method)(changes, weights, density, *drawn)
        found = function.dense([each.factors[layer] for each in sources], weights, density, seeds).numpy()
        assert np.array_equal(found != 0, exact != 0)
        assert np.array_equal(np.sign(found), np.sign(exact))
        assert distance(found, exact) < 1e-7


def test_a_large_dense_merge_is_the_papers():
    changes = [uneven(4, *LARGE, seed=seed) for seed in range(3)]
    found = METHODS["ties"].dense(changes, (1.0, 1.0, 1.0), 0.2, (0, 0, 0)).numpy()
    exact = reference.ties([each.dense().numpy() for each in changes], (1.0, 1.0, 1.0), 0.2)
    assert np.array_equal(found != 0, exact != 0)
    assert distance(found, exact) < 1e-7


def test_signs_that_cancel_elect_nothing():
    one = Factors(torch.ones(1, 4, dtype=torch.float64), torch.ones(4, 1, dtype=torch.float64))
    assert not METHODS["ties"].dense([one, one.scaled(-1.0)], (1.0, 1.0), 1.0, (0, 0)).any()


def test_dare_is_unbiased():
    given = change(4, 40, 30)
    mean = np.mean([METHODS["dare"].dense([given], (1.0,), 0.3, (seed,)).numpy() for seed in range(400)], axis=0)
    assert distance(mean, given.dense().numpy()) < 3 * (0.7 / 0.3 / 400) ** 0.5


def test_a_change_without_a_mask_is_an_error():
    both = [change(2, 9, 7), change(2, 9, 7, seed=1)]
    with pytest.raises(ValueError, match="zip"):
        blocks.combined(both, [largest(both[0], 0.5)], sum)
