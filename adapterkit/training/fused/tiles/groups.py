"""Products of a block of tokens with a group of frozen linear layers and the adapters on them.

A group is described by an array of int64: see the names below. Its ranks are in segments of like dropout; those of
the trainee come last, from column TRAINED on.
"""

from __future__ import annotations

from typing import Any

from numba import types

from adapterkit.training.fused.tiles.bits import bytes_at, f32, floats, halves, integers, load, product, real
from adapterkit.training.fused.tiles.rows import compiled, dropped, rounded, turned, weave

# Inputs, outputs, columns of a piece of either direction, addresses of both weights and of the bias (0 for none), ranks,
# addresses of the factors: A and B, each forward and backward; the first trained rank; where the gradients of A and B
# lie in a block's share, in floats; how many segments, and the first of them.
(
    IN, OUT, FORWARD, BACKWARD, WF, WB, BIAS, RANKS, AF, AB, BF, BB, TRAINED, DA, DB, SEGMENTS, SEGMENT,
) = range(17)  # fmt: skip
# A segment: first rank, ranks, address of the kept values (0 for no dropout), bits of 1 / (1 - p).
EACH = 4


@compiled
def low(f: Any, group: Any, x: Any, ldx: Any, t: Any, m: Any, h: Any, spare: Any) -> None:
    """h = x A', bfloat16 (m, ranks), dropout applied; t is the number of the first token."""
    g = integers(group)
    inputs, ranks = g[IN], g[RANKS]
    tile, other = spare, spare + 4 * m * ranks
    for s in range(g[SEGMENTS]):
        at = SEGMENT + EACH * s
        first, count, source, ld = g[at], g[at + 1], x, ldx
        if g[at + 2] != 0:
            dropped(x, ldx, g[at + 2] + t * inputs, inputs, real(types.uint32(g[at + 3])), m, inputs, other)
            source, ld = other, inputs
        product(f, m, count, inputs, ld, count, ranks, 0, source, g[AF] + 2 * first * inputs, tile + 4 * first)
    rounded(tile, m * ranks, h)


@compiled
def forward_tile(f: Any, group: Any, x: Any, ldx: Any, h: Any, m: Any, piece: Any, tile: Any) -> None:
    """A piece of the columns of x W' + h B' + bias, float32 (m, FORWARD)."""
    g = integers(group)
    inputs, n, ranks = g[IN], g[FORWARD], g[RANKS]
    product(f, m, n, inputs, ldx, n, n, 0, x, g[WF] + 2 * piece * n * inputs, tile)
    if ranks:
        product(f, m, n, ranks, ranks, n, n, 1, h, g[BF] + 2 * piece * n * ranks, tile)
    if g[BIAS] != 0:
        bias = halves(g[BIAS] + 2 * piece * n)
        for t in range(m):
            line = floats(tile + 4 * t * n)
            for j in range(n):
                line[j] += load(bias[j])


@compiled
def low_backward(f: Any, group: Any, dy: Any, m: Any, dh: Any, spare: Any) -> None:
    """dh = dy B, bfloat16 (m, ranks)."""
    g = integers(group)
    outputs, ranks = g[OUT], g[RANKS]
    if ranks:
        product(f, m, ranks, outputs, outputs, ranks, ranks, 0, dy, g[BB], spare)
        rounded(spare, m * ranks, dh)


@compiled
def backward_tile(
    f: Any, group: Any, dy: Any, dh: Any, t: Any, m: Any, piece: Any, tile: Any, ld: Any, spare: Any
) -> None:
    """A piece of the columns of dy W + dh A, float32 (m, BACKWARD), rows `ld` apart."""
    g = integers(group)
    inputs, outputs, n, ranks = g[IN], g[OUT], g[BACKWARD], g[RANKS]
    product(f, m, n, outputs, outputs, n, ld, 0, dy, g[WB] + 2 * piece * n * outputs, tile)
    for s in range(g[SEGMENTS]):
        at = SEGMENT + EACH * s
        first, count = g[at], g[at + 1]
        factor = g[AB] + 2 * (first * inputs + piece * n * count)
        if g[at + 2] == 0:
            product(f, m, n, count, ranks, n, ld, 1, dh + 2 * first, factor, tile)
        else:
            product(f, m, n, count, ranks, n, n, 0, dh + 2 * first, factor, spare)
            scale, kept = real(types.uint32(g[at + 3])), g[at + 2] + t * inputs + piece * n
            for i in range(m):
                to, more, mask = floats(tile + 4 * i * ld), floats(spare + 4 * i * n), bytes_at(kept + i * inputs)
                for j in range(n):
                    to[j] += more[j] * f32(mask[j]) * scale


@compiled
def input_gradient(
    f: Any, group: Any, x: Any, ldx: Any, column: Any, n: Any, t: Any, m: Any, dh: Any, share: Any, spare: Any
) -> None:
    """dA = dh' x of n columns of x from `column` on, to this block's share; dh transposed, trained ranks only."""
    g = integers(group)
    inputs, trained = g[IN], g[TRAINED]
    woven, other = spare, spare + 2 * m * n
    for s in range(g[SEGMENTS]):
        at = SEGMENT + EACH * s
        first, stop, source, ld = max(g[at], trained), g[at] + g[at + 1], x, ldx
        if stop <= first:
            continue
        if g[at + 2] != 0:
            kept = g[at + 2] + t * inputs + column
            dropped(x, ldx, kept, inputs, real(types.uint32(g[at + 3])), m, n, other)
            source, ld = other, n
        weave(source, ld, m, n, woven)
        to = share + 4 * (g[DA] + (first - trained) * inputs + column)
        product(f, stop - first, n, m, m, n, inputs, 0, dh + 2 * (first - trained) * m, woven, to)


@compiled
def output_gradient(
    f: Any, group: Any, dy: Any, column: Any, n: Any, m: Any, h: Any, share: Any, spare: Any
) -> None:
    """dB' = h' dy of n columns of dy from `column` on, to this block's share; h transposed, trained ranks only."""
    g = integers(group)
    outputs, count = g[OUT], g[RANKS] - g[TRAINED]
    if count:
        weave(dy + 2 * column, outputs, m, n, spare)
        product(f, count, n, m, m, n, outputs, 0, h, spare, share + 4 * (g[DB] + column))


@compiled
def trained_columns(group: Any, h: Any, m: Any, out: Any) -> None:
    """The trained ranks of h (m, ranks), transposed."""
    g = integers(group)
    turned(h + 2 * g[TRAINED], g[RANKS], m, g[RANKS] - g[TRAINED], out)
