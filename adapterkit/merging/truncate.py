"""The best approximation of a dense matrix by factors of a small rank, by subspace iteration from a good guess."""

from __future__ import annotations

import math

import numpy as np
import torch

from adapterkit.merging.factors import Factors

# Columns beyond the rank, which carry what the last ones of the rank are mixed with; and as many that every round draws
# anew, for what the others know nothing of.
_MORE = 8
_ROUNDS = 30
# The share of the error that may be left to gain. Each round gains less than the one before it; what all that follow
# would gain is taken for a geometric series, and for no less than the last gain.
_SETTLED = 0.0025
# Small enough for float32 to add up the squares of a part.
_BLOCK = 1 << 17


def truncate(matrix: torch.Tensor, rank: int, guess: torch.Tensor) -> tuple[Factors, float]:
    """Cut a matrix down to a rank, nearly as close in the Frobenius norm as that rank allows.

    Eckart and Young's optimum takes a full SVD. Here V <- orth(M^T orth(M V)) is repeated from a guess until the energy
    that V catches settles, and the best within V is taken (Halko, Martinsson and Tropp 2011, arXiv:0909.4061): the
    error is within 1 % of the optimum, at a small part of its price. Small matrices get the full SVD.

    Args:
        matrix: (outputs, inputs), float32.
        rank: 1 at least.
        guess: (some, inputs), rows that may span most of what matters, the best ones first.

    Returns:
        Factors in float64, singular values shared out evenly among a and b, of the rank or less where the matrix has no
        more; and the norm of what was left out over that of the whole, measured on these factors, 0 where there is
        nothing.
    """
    columns = rank + 2 * _MORE
    whole = _norm(matrix)
    if not whole:
        return Factors(
            matrix.new_zeros(1, matrix.shape[1], dtype=torch.float64),
            matrix.new_zeros(len(matrix), 1, dtype=torch.float64),
        ), 0.0
    small = columns >= min(matrix.shape) // 2
    cut = _full(matrix, rank) if small else _settled(matrix, rank, guess, whole)
    return cut, _left(matrix, cut) / whole


def _full(matrix: torch.Tensor, rank: int) -> Factors:
    u, values, vh = torch.linalg.svd(matrix.to(torch.float64), full_matrices=False)
    return _balanced(u[:, :rank], values[:rank], vh[:rank])


def _balanced(u: torch.Tensor, values: torch.Tensor, vh: torch.Tensor) -> Factors:
    """Factors of u diag(values) vh, without what rounding alone put there."""
    kept = max(1, int((values > 1e-7 * values[0]).sum()))
    roots = values[:kept].sqrt()
    return Factors(roots[:, None] * vh[:kept], u[:, :kept] * roots)


def _settled(matrix: torch.Tensor, rank: int, guess: torch.Tensor, whole: float) -> Factors:
    """Rounds until the error settles."""
    stream = np.random.PCG64(0)
    v = _start(guess[: rank + _MORE].T.to(torch.float32), rank + 2 * _MORE, stream)
    before, gained = 0.0, 0.0
    for _ in range(_ROUNDS):
        q = torch.linalg.qr(matrix @ v)[0]
        z = q.T @ matrix
        wide = z.to(torch.float64)
        energies, turned = torch.linalg.eigh(wide @ wide.T)
        energies, turned = energies.flip(0).clamp_(min=0.0), turned.flip(1)
        caught = float(energies[:rank].sum())
        left = max(whole * whole - caught, 1e-7 * whole * whole)
        if before and _to_come(caught - before, gained) < 2 * _SETTLED * left:
            break
        before, gained = caught, caught - before if before else 0.0
        v = _start(z.T @ turned[:, : rank + _MORE].to(torch.float32), rank + 2 * _MORE, stream)
    u, values = q.to(torch.float64) @ turned[:, :rank], energies[:rank].sqrt()
    rows = turned[:, :rank].T @ wide
    return _balanced(u, values, rows / values.clamp(min=1e-30)[:, None])


def _to_come(gain: float, before: float) -> float:
    """What further rounds would gain, after a round's gain and that of the round before it; 0: there was none."""
    ratio = min(max(gain / before, 0.5), 0.95) if before > 0 else 0.8
    return gain * ratio / (1 - ratio)


def _start(known: torch.Tensor, columns: int, stream: np.random.PCG64) -> torch.Tensor:
    """Orthonormal columns to begin a round with, (inputs, columns): known ones, and others drawn anew.

    Without new ones a round that begins among singular vectors of the wrong end stays there, and looks settled.
    """
    inputs, there = known.shape
    raw = stream.random_raw((columns - there) * inputs)
    drawn = torch.from_numpy((raw >> np.uint64(40)).astype(np.float32) / 2**23 - 1).view(inputs, columns - there)
    lengths = known.norm(dim=0).clamp(min=1e-30)
    start: torch.Tensor = torch.linalg.qr(torch.cat([known / lengths, drawn], dim=1))[0]
    return start


def _norm(matrix: torch.Tensor) -> float:
    return math.sqrt(math.fsum(_square(part) for part in _parts(matrix)))


def _left(matrix: torch.Tensor, cut: Factors) -> float:
    """The norm of what a cut leaves out, from the difference itself: that of two squares would drown in rounding."""
    a, b = cut.a.to(torch.float32), cut.b.to(torch.float32)
    parts = zip(_parts(matrix), _parts(b, matrix.shape[1]), strict=True)
    return math.sqrt(math.fsum(_square(part - rows @ a) for part, rows in parts))


def _square(part: torch.Tensor) -> float:
    flat = part.reshape(-1)
    return float(flat @ flat)


def _parts(matrix: torch.Tensor, columns: int | None = None) -> tuple[torch.Tensor, ...]:
    parts: tuple[torch.Tensor, ...] = matrix.split(max(1, _BLOCK // (columns or matrix.shape[1])))
    return parts
