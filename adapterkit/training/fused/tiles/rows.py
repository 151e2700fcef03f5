"""What a block of tokens goes through between two products: norms, gates, dropout, and the weaving of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types

from adapterkit.training.fused.tiles.bits import (
    FAST,
    bytes_at,
    f32,
    floats,
    halves,
    load,
    prefetch,
    sigmoid,
    store,
    words,
)

compiled = njit(fastmath=FAST, error_model="numpy")


@compiled
def rounded(tile: Any, count: Any, out: Any) -> None:
    """Float32 to bfloat16."""
    values, to = floats(tile), halves(out)
    for j in range(count):
        to[j] = store(values[j])


@compiled
def placed(tile: Any, m: Any, n: Any, onto: Any, out: Any, ld: Any) -> None:
    """A float32 tile (m, n), plus bfloat16 `onto` unless 0, into bfloat16 rows `ld` apart."""
    for t in range(m):
        if onto != 0:
            ahead(onto + 2 * (t + 4) * ld, 2 * n)
        values, to = floats(tile + 4 * t * n), halves(out + 2 * t * ld)
        if onto != 0:
            base = halves(onto + 2 * t * ld)
            for j in range(n):
                values[j] += load(base[j])
        for j in range(n):
            to[j] = store(values[j])


@compiled
def norm(x: Any, weight: Any, eps: Any, m: Any, n: Any, out: Any, ld: Any, scales: Any) -> None:
    """Root-mean-square norm of rows (Zhang and Sennrich, 2019), into rows `ld` apart, and 1 / rms, float32 (m,)."""
    w, r = halves(weight), floats(scales)
    for t in range(m):
        ahead(x + 2 * (t + 2) * n, 2 * n)
        line, to, squares = halves(x + 2 * t * n), halves(out + 2 * t * ld), f32(0.0)
        for j in range(n):
            value = load(line[j])
            squares += value * value
        scale = f32(1.0) / np.sqrt(squares / f32(n) + eps)
        r[t] = scale
        for j in range(n):
            to[j] = store(load(line[j]) * scale * load(w[j]))


@compiled
def norm_backward(grads: Any, x: Any, weight: Any, scales: Any, onto: Any, out: Any, m: Any, n: Any) -> None:
    """From the gradient of the norm, float32 and overwritten, to that of x, plus `onto`."""
    w, r = halves(weight), floats(scales)
    for t in range(m):
        ahead(onto + 2 * (t + 2) * n, 2 * n)
        g, line, base = floats(grads + 4 * t * n), halves(x + 2 * t * n), halves(onto + 2 * t * n)
        to, along, scale = halves(out + 2 * t * n), f32(0.0), r[t]
        for j in range(n):
            g[j] *= load(w[j])
        for j in range(n):
            along += g[j] * load(line[j])
        along *= scale * scale * scale / f32(n)
        for j in range(n):
            to[j] = store(g[j] * scale - load(line[j]) * along + load(base[j]))


@compiled
def gate(gates: Any, ups: Any, m: Any, n: Any, kept: Any, active: Any, ld: Any) -> None:
    """silu(gate) * up of two float32 tiles (m, n), into rows of `active` that are `ld` apart.

    Both are kept in bfloat16, (m, 2, n).
    """
    for t in range(m):
        g, u = floats(gates + 4 * t * n), floats(ups + 4 * t * n)
        left, right, to = halves(kept + 4 * t * n), halves(kept + 4 * t * n + 2 * n), halves(active + 2 * t * ld)
        for j in range(n):
            left[j] = store(g[j])
        for j in range(n):
            right[j] = store(u[j])
        for j in range(n):
            value = load(left[j])
            to[j] = store(value * sigmoid(value) * load(right[j]))


@compiled
def gate_backward(grads: Any, kept: Any, m: Any, n: Any, dgates: Any, dups: Any, ld: Any, active: Any) -> None:
    """From the gradient of `gate`, float32 (m, n), to those of gate and up, in rows `ld` apart, and `active` (m, n)."""
    line = np.empty(n, np.float32)
    for t in range(m):
        ahead(kept + 4 * (t + 4) * n, 4 * n)
        d, to = floats(grads + 4 * t * n), halves(active + 2 * t * n)
        left, right = halves(kept + 4 * t * n), halves(kept + 4 * t * n + 2 * n)
        dleft, dright = halves(dgates + 2 * t * ld), halves(dups + 2 * t * ld)
        for j in range(n):
            line[j] = sigmoid(load(left[j]))
        for j in range(n):
            to[j] = store(load(left[j]) * line[j] * load(right[j]))
        for j in range(n):
            dright[j] = store(d[j] * load(left[j]) * line[j])
        for j in range(n):
            slope = line[j] + load(left[j]) * line[j] * (f32(1.0) - line[j])
            dleft[j] = store(d[j] * load(right[j]) * slope)


@njit(inline="always")
def ahead(address: Any, size: Any) -> None:
    """Ask for so many bytes, to be read soon."""
    for at in range(0, size, 64):
        prefetch(address + at)


@compiled
def dropped(x: Any, ldx: Any, kept: Any, ldk: Any, scale: Any, m: Any, n: Any, out: Any) -> None:
    """Of (m, n), what is kept, times scale; `kept` are bytes, in rows `ldk` apart."""
    for t in range(m):
        line, mask, to = halves(x + 2 * t * ldx), bytes_at(kept + t * ldk), halves(out + 2 * t * n)
        for j in range(n):
            to[j] = store(load(line[j]) * f32(mask[j]) * scale)


@compiled
def weave(x: Any, ldx: Any, m: Any, n: Any, out: Any) -> None:
    """Pairs of rows of (m, n) woven together, as the right side of a product wants them: (m / 2, n, 2)."""
    for p in range(m // 2):
        first, second, to = halves(x + 4 * p * ldx), halves(x + 4 * p * ldx + 2 * ldx), words(out + 4 * p * n)
        for j in range(n):
            to[j] = types.uint32(first[j]) | (types.uint32(second[j]) << types.uint32(16))


@compiled
def turned(x: Any, ldx: Any, m: Any, n: Any, out: Any, ldo: Any) -> None:
    """The transpose of bfloat16 (m, n): the first m columns of (n, ldo)."""
    to = halves(out)
    for t in range(m):
        line = halves(x + 2 * t * ldx)
        for j in range(n):
            to[j * ldo + t] = line[j]


@compiled
def turned_pairs(x: Any, ldx: Any, m: Any, n: Any, out: Any, ldo: Any) -> None:
    """The transpose of (m, n), its pairs of rows woven together: (n / 2, ldo, 2), the first m columns."""
    to = words(out)
    for t in range(m):
        line = words(x + 2 * t * ldx)
        for j in range(n // 2):
            to[j * ldo + t] = line[j]


@compiled
def copied(x: Any, ldx: Any, m: Any, n: Any, out: Any, ldo: Any) -> None:
    """Bfloat16 (m, n) from rows `ldx` apart to rows `ldo` apart."""
    for t in range(m):
        line, to = halves(x + 2 * t * ldx), halves(out + 2 * t * ldo)
        for j in range(n):
            to[j] = line[j]


@compiled
def cleared(address: Any, count: Any) -> None:
    """So many words of 0."""
    to = words(address)
    for j in range(count):
        to[j] = types.uint32(0)
