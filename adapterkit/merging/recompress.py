"""The best approximation of a change by one of a smaller rank."""

from __future__ import annotations

import torch

from adapterkit.merging.factors import Factors


def recompress(factors: Factors, rank: int) -> tuple[Factors, float]:
    """Cut a change down to a rank, as close in the Frobenius norm as that rank allows (Eckart-Young).

    With b = Q R and a^T = P S the change is Q (R S^T) P^T, and Q, P keep norms: the singular values are those of the
    small R S^T. A full SVD of the change would find the same in a thousand times the time.

    Args:
        factors: of any rank.
        rank: the most that the result may have, 1 at least.

    Returns:
        The change, its singular values shared out evenly among a and b; and the norm of what was left out over that of
        the whole, 0 where nothing was.
    """
    if factors.rank <= rank:
        return factors, 0.0
    q, r = torch.linalg.qr(factors.b)
    p, s = torch.linalg.qr(factors.a.T)
    u, values, vh = torch.linalg.svd(r @ s.T)
    roots = values[:rank].sqrt()
    cut = Factors(roots[:, None] * (vh[:rank] @ p.T), (q @ u[:, :rank]) * roots)
    whole = torch.linalg.vector_norm(values).item()
    return cut, torch.linalg.vector_norm(values[rank:]).item() / whole if whole else 0.0
