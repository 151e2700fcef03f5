"""The four passes of a decoder layer over a block of tokens; attention stands between them.

Arguments are addresses and sizes: t is the first token of the block and m how many there are, i the number of its
chunk, `add` 1 where an earlier block of it has been there, and `s` the scratch memory of the thread. What the backward
pass can compute again from what is in the caches anyway, it does: norms, and the product of gate and up.
"""

from __future__ import annotations

from typing import Any

from numba import types

from adapterkit.training.fused.tiles.bits import floats, halves, integers, load, real, store
from adapterkit.training.fused.tiles.group_products import (
    BACKWARD,
    FORWARD,
    IN,
    OUT,
    RANKS,
    backward_low,
    backward_part,
    backward_tile,
    forward_tile,
    input_gradient,
    low,
    low_backward,
    low_part,
    output_gradient,
    trained_columns,
)
from adapterkit.training.fused.tiles.rows import (
    compiled,
    copied,
    gate,
    gate_backward,
    norm,
    norm_backward,
    placed,
    rounded,
)

# Pieces of gate and of up whose gradients are held at a time.
_AT_ONCE = 4


@compiled
def _rotate(tile: Any, n: Any, m: Any, first: Any, turning: Any, d: Any, cos: Any, sin: Any, out: Any, ld: Any) -> None:
    """Heads of a float32 tile (m, n), from head `first` on; those below `turning` rotated (Su et al., 2021)."""
    half = d // 2
    for t in range(m):
        c, s = halves(cos + 2 * t * d), halves(sin + 2 * t * d)
        for head in range(n // d):
            line, to = floats(tile + 4 * (t * n + head * d)), halves(out + 2 * (t * ld + head * d))
            if first + head < turning:
                for j in range(half):
                    to[j] = store(line[j] * load(c[j]) - line[half + j] * load(s[j]))
                for j in range(half):
                    to[half + j] = store(line[half + j] * load(c[j]) + line[j] * load(s[j]))
            else:
                for j in range(d):
                    to[j] = store(line[j])


@compiled
def _rotate_back(x: Any, m: Any, n: Any, turning: Any, d: Any, cos: Any, sin: Any, out: Any, ld: Any) -> None:
    """Gradients of rotated heads, bfloat16 (m, n), to those before the rotation, in rows `ld` apart."""
    half = d // 2
    for t in range(m):
        c, s = halves(cos + 2 * t * d), halves(sin + 2 * t * d)
        for head in range(n // d):
            line, to = halves(x + 2 * (t * n + head * d)), halves(out + 2 * (t * ld + head * d))
            if head < turning:
                for j in range(half):
                    to[j] = store(load(line[j]) * load(c[j]) + load(line[half + j]) * load(s[j]))
                for j in range(half):
                    to[half + j] = store(load(line[half + j]) * load(c[j]) - load(line[j]) * load(s[j]))
            else:
                for j in range(d):
                    to[j] = line[j]


@compiled
def qkv_forward(f: Any, a: Any, t: Any, m: Any, s: Any) -> None:
    """X -> norm -> queries, keys and values, rotated, side by side."""
    hidden, eps, group, x, weight, h, out, cos, sin, d, turning = (
        a[1], real(types.uint32(a[2])), a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11],
    )  # fmt: skip
    g = integers(group)
    n, outputs, ranks = g[FORWARD], g[OUT], g[RANKS]
    normed, scales = s, s + 2 * m * (hidden + ranks)
    tile = scales + 64 * m
    norm(x + 2 * t * hidden, weight, eps, m, hidden, normed, hidden + ranks, scales)
    low(f, group, normed, t, m, h + 2 * t * ranks, tile)
    for piece in range(outputs // n):
        forward_tile(f, group, normed, m, piece, tile)
        to = out + 2 * (t * outputs + piece * n)
        _rotate(tile, n, m, piece * n // d, turning, d, cos + 2 * t * d, sin + 2 * t * d, to, outputs)


@compiled
def _through(f: Any, group: Any, x: Any, saved: Any, t: Any, m: Any, onto: Any, out: Any, s: Any) -> None:
    """X through a group, plus `onto`; all but t begin with this block."""
    g = integers(group)
    n, outputs = g[FORWARD], g[OUT]
    low(f, group, x, t, m, saved, s)
    for piece in range(outputs // n):
        forward_tile(f, group, x, m, piece, s)
        placed(s, m, n, onto + 2 * piece * n, out + 2 * piece * n, outputs)


@compiled
def mlp_forward(f: Any, a: Any, t: Any, m: Any, s: Any) -> None:
    """What attention found -> output layer, residual -> norm -> gate and up -> down, residual."""
    hidden, eps, weight, out, up, down, mixed, x = (
        a[1], real(types.uint32(a[2])), a[3], a[4], a[5], a[6], a[7], a[8],
    )  # fmt: skip
    middle, gates, y, hu, hd = a[9], a[10], a[11], a[12], a[13]
    go, gu, gd = integers(out), integers(up), integers(down)
    wide, at, n, ld = gd[IN], 2 * t * hidden, gu[FORWARD], gd[IN] + gd[RANKS]
    again, scales = s, s + 2 * m * (hidden + gu[RANKS])
    active = scales + 64 * m
    tile = active + 2 * m * ld
    _through(f, out, mixed + 2 * t * (go[IN] + go[RANKS]), 0, t, m, x + at, middle + at, tile)
    norm(middle + at, weight, eps, m, hidden, again, hidden + gu[RANKS], scales)
    low(f, up, again, t, m, hu + 2 * t * gu[RANKS], tile)
    for piece in range(wide // n):
        other = tile + 4 * m * n
        forward_tile(f, up, again, m, piece, tile)
        forward_tile(f, up, again, m, wide // n + piece, other)
        gate(tile, other, m, n, gates + 4 * (t * wide + piece * m * n), active + 2 * piece * n, ld)
    _through(f, down, active, hd + 2 * t * gd[RANKS], t, m, middle + at, y + at, tile)


@compiled
def _gates_backward(
    f: Any, up: Any, down: Any, dy: Any, gates: Any, hu: Any, dht: Any, t: Any, m: Any, first: Any, count: Any,
    dgates: Any, share: Any, add: Any, s: Any,
) -> None:  # fmt: skip
    """The gradients of `count` pieces of gate and up, side by side, and of the factors before and behind them."""
    gd = integers(down)
    wide, n = gd[IN], gd[BACKWARD]
    width, active = count * n, s + 4 * m * n
    spare = active + 2 * m * n
    for piece in range(count):
        column, left = (first + piece) * n, dgates + 2 * piece * n
        right = left + 2 * width
        backward_tile(f, down, dy, t, m, first + piece, s, n, spare)
        gate_backward(s, gates + 4 * column * m, m, n, left, right, 2 * width, active)
        input_gradient(f, down, active, n, column, n, t, m, dht, share, add, spare)
        output_gradient(f, up, left, 2 * width, column, n, m, hu, share, add, spare)
        output_gradient(f, up, right, 2 * width, wide + column, n, m, hu, share, add, spare)


@compiled
def _up_backward(
    f: Any, up: Any, down: Any, dy: Any, gates: Any, hu: Any, dht: Any, t: Any, m: Any, sums: Any, dh: Any, share: Any,
    add: Any, s: Any,
) -> None:  # fmt: skip
    """Through down, gate and up, some pieces at a time: to dy W, float32 (m, hidden), and dh, float32 (m, ranks)."""
    wide, n = integers(down)[IN], integers(down)[BACKWARD]
    pieces, spare = wide // n, s + 4 * m * _AT_ONCE * n
    for first in range(0, pieces, _AT_ONCE):
        count = min(_AT_ONCE, pieces - first)
        width = count * n
        _gates_backward(f, up, down, dy, gates, hu, dht, t, m, first, count, s, share, add, spare)
        for half in range(2):
            source, row, more = s + 2 * half * width, half * wide + first * n, 1 if first + half else 0
            low_part(f, up, source, 2 * width, row, width, m, dh, more)
            backward_part(f, up, source, 2 * width, row, width, m, sums, more)


@compiled
def _factors(
    f: Any, group: Any, dy: Any, h: Any, ldh: Any, m: Any, dht: Any, ht: Any, share: Any, add: Any, s: Any
) -> None:
    """Dh behind dy, the trained ranks of both dh and h transposed, and the gradient of B."""
    g = integers(group)
    low_backward(f, group, dy, m, s)
    trained_columns(group, dy + 2 * g[OUT], g[OUT] + g[RANKS], m, dht)
    trained_columns(group, h, ldh, m, ht)
    output_gradient(f, group, dy, g[OUT] + g[RANKS], 0, g[OUT], m, ht, share, add, s)


@compiled
def mlp_backward(f: Any, a: Any, i: Any, t: Any, m: Any, add: Any, s: Any) -> None:
    """The backward pass of `mlp_forward`: to the gradients of `middle` and `mixed`."""
    hidden, eps, weight, out, up, down, mixed = a[1], real(types.uint32(a[2])), a[3], a[4], a[5], a[6], a[7]
    middle, gates, dy, hu, hd, dmiddle, dmixed, share = (
        a[8], a[9], a[10], a[11], a[12], a[13], a[14], a[15] + 4 * i * a[16],
    )  # fmt: skip
    go, gu, gd, at = integers(out), integers(up), integers(down), 2 * t * hidden
    wide, ranks = gd[IN], max(go[RANKS], gu[RANKS], gd[RANKS])
    dagain, lines = s, s + 4 * m * hidden
    again = lines + 2 * m * (hidden + ranks)
    scales = again + 2 * m * hidden
    dht = scales + 64 * m
    ht, hut, dhu, sums = dht + 2 * m * ranks, dht + 4 * m * ranks, dht + 6 * m * ranks, dht + 8 * m * ranks
    spare = sums + 4 * m * ranks

    copied(dy + at, hidden, m, hidden, lines, hidden + gd[RANKS])
    _factors(f, down, lines, hd + 2 * t * gd[RANKS], gd[RANKS], m, dht, ht, share, add, spare)
    trained_columns(up, hu + 2 * t * gu[RANKS], gu[RANKS], m, hut)
    _up_backward(f, up, down, lines, gates + 4 * t * wide, hut, dht, t, m, dagain, sums, share, add, spare)
    rounded(sums, m * gu[RANKS], dhu)
    backward_low(f, up, dhu, t, m, dagain, spare)
    trained_columns(up, dhu, gu[RANKS], m, dht)
    norm(middle + at, weight, eps, m, hidden, again, hidden, scales)
    input_gradient(f, up, again, hidden, 0, hidden, t, m, dht, share, add, spare)
    norm_backward(dagain, middle + at, weight, scales, dy + at, dmiddle + at, m, hidden)

    inner, n, ld = go[IN], go[BACKWARD], go[IN] + go[RANKS]
    found = mixed + 2 * t * ld
    copied(dmiddle + at, hidden, m, hidden, lines, hidden + go[RANKS])
    _factors(f, out, lines, found + 2 * inner, ld, m, dht, ht, share, add, spare)
    input_gradient(f, out, found, ld, 0, inner, t, m, dht, share, add, spare)
    for piece in range(inner // n):
        backward_tile(f, out, lines, t, m, piece, spare, n, spare + 4 * m * n)
        placed(spare, m, n, 0, dmixed + 2 * (t * inner + piece * n), inner)


@compiled
def qkv_backward(f: Any, a: Any, i: Any, t: Any, m: Any, add: Any, s: Any) -> None:
    """The backward pass of `qkv_forward`: to the gradient of x, where its address is not 0, plus that of `middle`."""
    hidden, eps, group, x, weight, h, dqkv = a[1], real(types.uint32(a[2])), a[3], a[4], a[5], a[6], a[7]
    cos, sin, d, turning, dmiddle, dx, share = a[8], a[9], a[10], a[11], a[12], a[13], a[14] + 4 * i * a[15]
    g, at = integers(group), 2 * t * hidden
    outputs, n, ranks = g[OUT], g[BACKWARD], g[RANKS]
    grads, dnormed = s, s + 2 * m * (outputs + ranks)
    normed, scales = dnormed + 4 * m * hidden, dnormed + 6 * m * hidden
    dht = scales + 64 * m
    ht, spare, angle = dht + 2 * m * ranks, dht + 4 * m * ranks, 2 * t * d
    _rotate_back(dqkv + 2 * t * outputs, m, outputs, turning, d, cos + angle, sin + angle, grads, outputs + ranks)
    _factors(f, group, grads, h + 2 * t * ranks, ranks, m, dht, ht, share, add, spare)
    norm(x + at, weight, eps, m, hidden, normed, hidden, scales)
    input_gradient(f, group, normed, hidden, 0, hidden, t, m, dht, share, add, spare)
    if dx != 0:
        for piece in range(hidden // n):
            backward_tile(f, group, grads, t, m, piece, dnormed + 4 * piece * n, hidden, spare)
        norm_backward(dnormed, x + at, weight, scales, dmiddle + at, dx + at, m, hidden)
