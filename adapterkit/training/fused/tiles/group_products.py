"""Products of a block of tokens with a group of frozen linear layers and the adapters on them.

Rows of an input are followed by those of x A', and rows of W' by those of B', so that x W' + x A' B' is one product;
likewise dy W + dy B A. A group is described by an array of int64: see the names below. Its ranks are in segments of
like dropout; those of the trainee come last, from column TRAINED on.
"""

from __future__ import annotations

from typing import Any

from numba import types

from adapterkit.training.fused.tiles.bits import bytes_at, f32, floats, halves, integers, load, product, real
from adapterkit.training.fused.tiles.rows import compiled, dropped, placed, rounded, turned, weave

# Inputs, outputs, columns of a piece of either direction, addresses of both weights and of the bias (0 for none),
# ranks, addresses of factors: A forward, A backward of segments with dropout, and B backward; the first trained rank;
# where the gradients of A and B lie in a block's share, in floats; how many segments, and the first of them.
(
    IN, OUT, FORWARD, BACKWARD, WF, WB, BIAS, RANKS, AF, AB, BB, TRAINED, DA, DB, SEGMENTS, SEGMENT,
) = range(16)  # fmt: skip
# A segment: first rank, ranks, address of the kept values (0 for no dropout), bits of 1 / (1 - p).
EACH = 4


@compiled
def low(f: Any, group: Any, x: Any, t: Any, m: Any, saved: Any, spare: Any) -> None:
    """The ranks h = x A', dropout applied, behind x in its rows, and (m, ranks) at `saved`; t is the first token."""
    g = integers(group)
    inputs, ranks = g[IN], g[RANKS]
    tile, other = spare, spare + 4 * m * ranks
    for s in range(g[SEGMENTS]):
        at = SEGMENT + EACH * s
        first, count, source, ld = g[at], g[at + 1], x, inputs + ranks
        if g[at + 2] != 0:
            dropped(x, ld, g[at + 2] + t * inputs, inputs, real(types.uint32(g[at + 3])), m, inputs, other)
            source, ld = other, inputs
        product(f, m, count, inputs, ld, count, ranks, 0, source, g[AF] + 2 * first * inputs, tile + 4 * first)
    placed(tile, m, ranks, 0, x + 2 * inputs, inputs + ranks)
    if saved != 0:
        rounded(tile, m * ranks, saved)


@compiled
def forward_tile(f: Any, group: Any, x: Any, m: Any, piece: Any, tile: Any) -> None:
    """A piece of the columns of x W' + h B' + bias, float32 (m, FORWARD), from rows of x and h."""
    g = integers(group)
    rows, n = g[IN] + g[RANKS], g[FORWARD]
    product(f, m, n, rows, rows, n, n, 0, x, g[WF] + 2 * piece * n * rows, tile)
    if g[BIAS] != 0:
        bias = halves(g[BIAS] + 2 * piece * n)
        for t in range(m):
            line = floats(tile + 4 * t * n)
            for j in range(n):
                line[j] += load(bias[j])


@compiled
def low_backward(f: Any, group: Any, dy: Any, m: Any, spare: Any) -> None:
    """The ranks dh = dy B, behind dy in its rows."""
    g = integers(group)
    outputs, ranks = g[OUT], g[RANKS]
    if ranks:
        product(f, m, ranks, outputs, outputs + ranks, ranks, ranks, 0, dy, g[BB], spare)
        placed(spare, m, ranks, 0, dy + 2 * outputs, outputs + ranks)


@compiled
def _dropped_ranks(
    f: Any, group: Any, dh: Any, ldh: Any, t: Any, m: Any, piece: Any, tile: Any, ld: Any, spare: Any
) -> None:
    """What ranks with dropout add to a piece of the columns of dh A; those of the others stand among W's own."""
    g = integers(group)
    inputs, n = g[IN], g[BACKWARD]
    for s in range(g[SEGMENTS]):
        at = SEGMENT + EACH * s
        first, count = g[at], g[at + 1]
        if g[at + 2] != 0:
            factor = g[AB] + 2 * (first * inputs + piece * n * count)
            product(f, m, n, count, ldh, n, n, 0, dh + 2 * first, factor, spare)
            scale, kept = real(types.uint32(g[at + 3])), g[at + 2] + t * inputs + piece * n
            for i in range(m):
                to, more, mask = floats(tile + 4 * i * ld), floats(spare + 4 * i * n), bytes_at(kept + i * inputs)
                for j in range(n):
                    to[j] += more[j] * f32(mask[j]) * scale


@compiled
def backward_tile(f: Any, group: Any, dy: Any, t: Any, m: Any, piece: Any, tile: Any, ld: Any, spare: Any) -> None:
    """A piece of the columns of dy W + dh A, float32 (m, BACKWARD) in rows `ld` apart, from rows of dy and dh."""
    g = integers(group)
    outputs, n, rows = g[OUT], g[BACKWARD], g[OUT] + g[RANKS]
    product(f, m, n, rows, rows, n, ld, 0, dy, g[WB] + 2 * piece * n * rows, tile)
    _dropped_ranks(f, group, dy + 2 * outputs, rows, t, m, piece, tile, ld, spare)


@compiled
def low_part(f: Any, group: Any, dy: Any, ld: Any, row: Any, count: Any, m: Any, sums: Any, add: Any) -> None:
    """What `count` outputs from `row` on add to dh = dy B, float32 (m, ranks)."""
    g = integers(group)
    if g[RANKS]:
        product(f, m, g[RANKS], count, ld, g[RANKS], g[RANKS], add, dy, g[BB] + 2 * row * g[RANKS], sums)


@compiled
def backward_part(f: Any, group: Any, dy: Any, ld: Any, row: Any, count: Any, m: Any, sums: Any, add: Any) -> None:
    """What `count` outputs from `row` on add to dy W, float32 (m, IN)."""
    g = integers(group)
    inputs, n, rows = g[IN], g[BACKWARD], g[OUT] + g[RANKS]
    for piece in range(inputs // n):
        weight = g[WB] + 2 * (piece * rows + row) * n
        product(f, m, n, count, ld, n, inputs, add, dy, weight, sums + 4 * piece * n)


@compiled
def backward_low(f: Any, group: Any, dh: Any, t: Any, m: Any, sums: Any, spare: Any) -> None:
    """What the ranks add to it, dh A; dh is bfloat16 (m, ranks)."""
    g = integers(group)
    inputs, ranks, n = g[IN], g[RANKS], g[BACKWARD]
    if ranks:
        backward_part(f, group, dh, ranks, g[OUT], ranks, m, sums, 1)
        for piece in range(inputs // n):
            _dropped_ranks(f, group, dh, ranks, t, m, piece, sums + 4 * piece * n, inputs, spare)


@compiled
def input_gradient(
    f: Any, group: Any, x: Any, ldx: Any, column: Any, n: Any, t: Any, m: Any, dh: Any, share: Any, add: Any, spare: Any
) -> None:
    """Of A: dh' x for n columns of x from `column` on, to this chunk's share; dh transposed, trained ranks only."""
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
        product(f, stop - first, n, m, m, n, inputs, add, dh + 2 * (first - trained) * m, woven, to)


@compiled
def output_gradient(
    f: Any, group: Any, dy: Any, ld: Any, column: Any, n: Any, m: Any, h: Any, share: Any, add: Any, spare: Any
) -> None:
    """Of B: h' dy for n columns of dy, `column` the first, to this chunk's share; h transposed, trained ranks only."""
    g = integers(group)
    outputs, count = g[OUT], g[RANKS] - g[TRAINED]
    if count:
        weave(dy, ld, m, n, spare)
        product(f, count, n, m, m, n, outputs, add, h, spare, share + 4 * (g[DB] + column))


@compiled
def trained_columns(group: Any, h: Any, ld: Any, m: Any, out: Any) -> None:
    """The trained ranks of h, m rows `ld` apart, transposed."""
    g = integers(group)
    turned(h + 2 * g[TRAINED], ld, m, g[RANKS] - g[TRAINED], out, m)
