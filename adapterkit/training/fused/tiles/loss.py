"""The loss of label tokens and the gradient of their hidden states, without ever holding all logits of a token.

Piece after piece of the vocabulary, the largest logit and the sum of weights so far are corrected as they grow, and
with them the gradient: what FlashAttention does with keys (Dao et al., 2022).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from adapterkit.training.fused.tiles.bits import exp, f32, floats, halves, integers, larger, load, product, store
from adapterkit.training.fused.tiles.rows import ahead, cleared, compiled, placed

# Pieces of the vocabulary between two corrections.
_AT_ONCE = 8


@compiled
def _corrected(weights: Any, ld: Any, m: Any, n: Any, hidden: Any, top: Any, total: Any, sums: Any) -> None:
    """Logits (m, n) in rows `ld` apart -> exp(logit - top); tops, totals and sums, (m, hidden), are corrected."""
    tops, totals = floats(top), floats(total)
    line = np.empty(n, np.float32)
    for t in range(m):
        values, most, more = halves(weights + 2 * t * ld), tops[t], f32(0.0)
        for j in range(n):
            most = larger(most, load(values[j]))
        for j in range(n):
            line[j] = exp(load(values[j]) - most)
        for j in range(n):
            more += line[j]
        for j in range(n):
            values[j] = store(line[j])
        if most != tops[t]:
            factor, row = exp(tops[t] - most), floats(sums + 4 * t * hidden)
            for j in range(hidden):
                row[j] *= factor
            totals[t] *= factor
            tops[t] = most
        totals[t] += more


@compiled
def label_losses(f: Any, a: Any, t: Any, m: Any, s: Any) -> None:
    """The negative log-likelihood of a block of targets, and its gradient by the states that the logits come from."""
    hidden, n, back, vocabulary, x, forward, backward, weight, targets, losses, grads = (
        a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], integers(a[9]), floats(a[10]), a[11],
    )  # fmt: skip
    ld = n * _AT_ONCE
    top, total, wanted = floats(s), floats(s + 4 * m), floats(s + 8 * m)
    sums = s + 64 * m
    weights = sums + 4 * m * hidden
    tile = weights + 2 * m * ld
    cleared(sums, m * hidden)
    for i in range(m):
        top[i], total[i] = f32(-np.inf), f32(0.0)
    for first in range(0, vocabulary, ld):
        width = min(ld, vocabulary - first)
        for piece in range(width // n):
            product(
                f, m, n, hidden, hidden, n, n, 0, x + 2 * t * hidden, forward + 2 * (first + piece * n) * hidden, tile
            )
            placed(tile, m, n, 0, weights + 2 * piece * n, ld)
        for i in range(m):
            at = targets[t + i] - first
            if 0 <= at < width:
                wanted[i] = load(halves(weights + 2 * i * ld)[at])
        _corrected(weights, ld, m, width, hidden, s, s + 4 * m, sums)
        for piece in range(hidden // back):
            part = backward + 2 * (piece * vocabulary + first) * back
            product(f, m, back, width, ld, back, hidden, 1, weights, part, sums + 4 * piece * back)
    for i in range(m):
        losses[t + i], share = np.log(total[i]) + top[i] - wanted[i], f32(1.0) / total[i]
        row, own, to = (
            floats(sums + 4 * i * hidden),
            weight + 2 * targets[t + i] * hidden,
            halves(grads + 2 * (t + i) * hidden),
        )
        ahead(own, 2 * hidden)
        target = halves(own)
        for j in range(hidden):
            to[j] = store(row[j] * share - load(target[j]))
