"""LoRA's factors, float32, to the four orders in which products want them, bfloat16."""

from __future__ import annotations

from typing import Any

from numba import types

from adapterkit.training.fused.tiles.bits import floats, halves, integers, real, store
from adapterkit.training.fused.tiles.group_products import AB, AF, BACKWARD, BB, FORWARD, IN, OUT, RANKS, WB, WF
from adapterkit.training.fused.tiles.rows import compiled

# An adapter on a layer: addresses of A (ranks, inputs) and B (rows, ranks), how many ranks and rows, the first row and
# column in the group, the first column and the columns of its segment, bits of the scaling, the group's address, and
# whether dropout keeps its A apart from the weight.
FIELDS = 11


@compiled
def packed(table: Any, item: Any) -> None:
    """Write one adapter's numbers to their places; zeros stay between them."""
    e = integers(table + 8 * FIELDS * item)
    a, b, ranks, rows, row, column, first, columns, scale = (
        floats(e[0]), floats(e[1]), e[2], e[3], e[4], e[5], e[6], e[7], real(types.uint32(e[8])),
    )  # fmt: skip
    g = integers(e[9])
    inputs, outputs, n, total = g[IN], g[OUT], g[BACKWARD], g[RANKS]
    af, ab, deep, start = halves(g[AF] + 2 * first * inputs), halves(g[AB] + 2 * first * inputs), columns, first
    if e[10] == 0:
        ab, deep, start = halves(g[WB] + 2 * outputs * n), outputs + total, 0
    for r in range(ranks):
        c, k = column + r - first, column + r - start
        for j in range(inputs):
            half = store(a[r * inputs + j])
            af[(j // 2 * columns + c) * 2 + j % 2] = half
            ab[j // n * deep * n + (k // 2 * n + j % n) * 2 + k % 2] = half
    n, deep = g[FORWARD], inputs + total
    bf, bb = halves(g[WF] + 2 * inputs * n), halves(g[BB])
    for o in range(rows):
        at = row + o
        for r in range(ranks):
            c, half = column + r, store(b[o * ranks + r] * scale)
            bf[at // n * deep * n + (c // 2 * n + at % n) * 2 + c % 2] = half
            bb[(at // 2 * total + c) * 2 + at % 2] = half


# A parameter's gradient: its address, rows and columns, where it begins in a share, how far its rows lie apart there,
# whether it is transposed there, bits of what it is multiplied with.
GRADIENT = 7


@compiled
def summed(a: Any, item: Any) -> None:
    """Add up what all blocks of tokens have found for one parameter, block after block."""
    e, shares, blocks, numbers = integers(a[0] + 8 * GRADIENT * item), a[1], a[2], a[3]
    to, rows, columns, scale = floats(e[0]), e[1], e[2], real(types.uint32(e[6]))
    if e[5] == 0:
        for i in range(rows):
            line = floats(e[0] + 4 * i * columns)
            for block in range(blocks):
                of = floats(shares + 4 * (block * numbers + e[3] + i * e[4]))
                for j in range(columns):
                    line[j] = of[j] if block == 0 else line[j] + of[j]
        return
    for j in range(columns):
        first = floats(shares + 4 * (e[3] + j * e[4]))
        for block in range(1, blocks):
            of = floats(shares + 4 * (block * numbers + e[3] + j * e[4]))
            for i in range(rows):
                first[i] += of[i]
        for i in range(rows):
            to[i * columns + j] = first[i] * scale
