"""Subspace iteration is within 1 % of the full SVD, wherever it begins and whatever the spectrum."""

from __future__ import annotations

import pytest
import torch

from adapterkit.merging.truncate import truncate
from tests.merging import reference
from tests.merging.sources import distance

SHAPE = (420, 300)


def spectrum(values, shape=SHAPE, *, seed=0):
    draw = torch.Generator().manual_seed(seed)
    sides = (torch.randn(size, len(values), generator=draw, dtype=torch.float64) for size in shape)
    u, v = (torch.linalg.qr(side)[0] for side in sides)
    return ((u * values) @ v.T).to(torch.float32), v.T.contiguous()


every = torch.arange(300, dtype=torch.float64)
SPECTRA = {
    "flat": torch.ones(300, dtype=torch.float64),
    "slow": (1 + every) ** -0.5,
    "steep": 0.8**every,
    "two levels": torch.where(every < 40, 1.0, 0.2).to(torch.float64),
    "one more than the rank": torch.where(every < 9, 1.0, 1e-4).to(torch.float64),
    "one giant": torch.where(every < 1, 1e4, 1.0).to(torch.float64),
}


@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize("rank", [1, 8, 40])
@pytest.mark.parametrize("guess", ["right", "wrong", "nothing", "zero"])
def test_within_one_percent_of_the_optimum(name, rank, guess):
    matrix, right = spectrum(SPECTRA[name])
    rows = {"right": right, "wrong": right.flip(0), "nothing": right[:0], "zero": torch.zeros_like(right)}[guess]
    cut, error = truncate(matrix, rank, rows)
    best = reference.left_out(matrix.double().numpy(), rank)
    assert cut.rank == rank
    assert best * 0.9999 <= distance(cut, matrix.numpy()) <= best * 1.01 + 1e-6
    assert error == pytest.approx(distance(cut, matrix.numpy()), rel=1e-3, abs=1e-6)
    assert torch.allclose(cut.a.norm(dim=1), cut.b.norm(dim=0), rtol=1e-3), "singular values are shared out evenly"


@pytest.mark.parametrize(("shape", "rank"), [((465, 459), 207), ((393, 254), 92)])
@pytest.mark.parametrize("fall", [0.08, 0.12])
def test_a_slow_gain_is_not_taken_for_the_end(shape, rank, fall):
    # Values that hardly differ: each round gains little, and many rounds together 1.5 %.
    matrix, _ = spectrum(1 - fall * torch.arange(min(shape), dtype=torch.float64) / min(shape), shape)
    _, error = truncate(matrix, rank, matrix[:0])
    assert error <= reference.left_out(matrix.double().numpy(), rank) * 1.005


def test_no_more_rank_than_the_matrix_has():
    matrix, right = spectrum(torch.where(every < 3, 1.0, 0.0).to(torch.float64))
    cut, error = truncate(matrix, 8, right)
    assert cut.rank == 3
    assert error < 1e-6


def test_small_matrices_take_the_full_svd():
    matrix = torch.randn(40, 30, generator=torch.Generator().manual_seed(0))
    for rank in (1, 10, 30):
        cut, error = truncate(matrix, rank, matrix[:0])
        assert cut.rank == rank
        assert error == pytest.approx(reference.left_out(matrix.double().numpy(), rank), rel=1e-4, abs=1e-6)


def test_a_matrix_of_zero():
    cut, error = truncate(torch.zeros(SHAPE), 4, torch.zeros(0, SHAPE[1]))
    assert not cut.dense().any()
    assert error == 0.0
