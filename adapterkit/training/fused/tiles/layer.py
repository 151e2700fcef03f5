"""The four passes of a decoder layer over a block of tokens; attention stands between them.

Arguments are addresses and sizes; `s` is the thread's scratch memory. What the backward pass can compute again from
what is in the caches anyway, it does: norms, and the product of gate and up.
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
    backward_tile,
    forward_tile,
    input_gradient,
    low,
    low_backward,
    output_gradient,
    trained_columns,
)
from adapterkit.training.fused.tiles.rows import compiled, copied, gate, gate_backward, norm, norm_backward, placed


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
def qkv_forward(f: Any, a: Any, i: Any, s: Any) -> None:
    """X -> norm -> queries, keys and values, rotated, side by side."""
    m, hidden, eps, group, x, weight, h, out, cos, sin, d, turning = (
        a[0], a[1], real(types.uint32(a[2])), a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11],
    )  # fmt: skip
    g, t = integers(group), i * m
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
def mlp_forward(f: Any, a: Any, i: Any, s: Any) -> None:
    """What attention found -> output layer, residual -> norm -> gate and up -> down, residual."""
    m, hidden, eps, weight, out, up, down, mixed, x = (
        a[0], a[1], real(types.uint32(a[2])), a[3], a[4], a[5], a[6], a[7], a[8],
    )  # fmt: skip
    middle, gates, y, hu, hd = a[9], a[10], a[11], a[12], a[13]
    go, gu, gd, t = integers(out), integers(up), integers(down), i * m
    wide, at, n, ld = gd[IN], 2 * i * m * hidden, gu[FORWARD], gd[IN] + gd[RANKS]
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
    f: Any, up: Any, down: Any, dy: Any, gates: Any, hu: Any, dht: Any, t: Any, m: Any, dgates: Any, share: Any, s: Any
) -> None:
    """The gradients of gate and up, and of the factors that read `active` or write gate and up."""
    gd = integers(down)
    wide, n, ld = gd[IN], gd[BACKWARD], 2 * gd[IN] + integers(up)[RANKS]
    active = s + 4 * m * n
    spare = active + 2 * m * n
    for piece in range(wide // n):
        first = piece * n
        backward_tile(f, down, dy, t, m, piece, s, n, spare)
        gate_backward(s, gates + 4 * first * m, m, n, dgates + 2 * first, dgates + 2 * (wide + first), ld, active)
        input_gradient(f, down, active, n, first, n, t, m, dht, share, spare)
        output_gradient(f, up, dgates, first, n, m, hu, share, spare)
        output_gradient(f, up, dgates, wide + first, n, m, hu, share, spare)


@compiled
def _factors(f: Any, group: Any, dy: Any, h: Any, ldh: Any, m: Any, dht: Any, ht: Any, share: Any, s: Any) -> None:
    """Dh behind dy, the trained ranks of both dh and h transposed, and the gradient of B."""
    g = integers(group)
    low_backward(f, group, dy, m, s)
    trained_columns(group, dy + 2 * g[OUT], g[OUT] + g[RANKS], m, dht)
    trained_columns(group, h, ldh, m, ht)
    output_gradient(f, group, dy, 0, g[OUT], m, ht, share, s)


@compiled
def mlp_backward(f: Any, a: Any, i: Any, s: Any) -> None:
    """The backward pass of `mlp_forward`: to the gradients of `middle` and `mixed`."""
    m, hidden, eps, weight, out, up, down, mixed = (
        a[0], a[1], real(types.uint32(a[2])), a[3], a[4], a[5], a[6], a[7],
    )  # fmt: skip
    middle, gates, dy, hu, hd, dmiddle, dmixed, share = (
        a[8], a[9], a[10], a[11], a[12], a[13], a[14], a[15] + 4 * i * a[16],
    )  # fmt: skip
    go, gu, gd, t, at = integers(out), integers(up), integers(down), i * m, 2 * i * m * hidden
    wide, ranks = gd[IN], max(go[RANKS], gu[RANKS], gd[RANKS])
    dgates, dagain = s, s + 2 * m * (2 * wide + gu[RANKS])
    lines, again = dagain + 4 * m * hidden, dagain + 4 * m * hidden + 2 * m * (hidden + ranks)
    scales = again + 2 * m * hidden
    dht = scales + 64 * m
    ht, hut, spare = dht + 2 * m * ranks, dht + 4 * m * ranks, dht + 6 * m * ranks

    ld = hidden + gd[RANKS]
    copied(dy + at, hidden, m, hidden, lines, ld)
    _factors(f, down, lines, hd + 2 * t * gd[RANKS], gd[RANKS], m, dht, ht, share, spare)
    trained_columns(up, hu + 2 * t * gu[RANKS], gu[RANKS], m, hut)
    _gates_backward(f, up, down, lines, gates + 4 * t * wide, hut, dht, t, m, dgates, share, spare)

    n, ld = gu[BACKWARD], 2 * wide + gu[RANKS]
    low_backward(f, up, dgates, m, spare)
    trained_columns(up, dgates + 4 * wide, ld, m, dht)
    for piece in range(hidden // n):
        backward_tile(f, up, dgates, t, m, piece, dagain + 4 * piece * n, hidden, spare)
    norm(middle + at, weight, eps, m, hidden, again, hidden, scales)
    input_gradient(f, up, again, hidden, 0, hidden, t, m, dht, share, spare)
    norm_backward(dagain, middle + at, weight, scales, dy + at, dmiddle + at, m, hidden)

    inner, n, ld = go[IN], go[BACKWARD], go[IN] + go[RANKS]
    found = mixed + 2 * t * ld
    copied(dmiddle + at, hidden, m, hidden, lines, hidden + go[RANKS])
    _factors(f, out, lines, found + 2 * inner, ld, m, dht, ht, share, spare)
    input_gradient(f, out, found, ld, 0, inner, t, m, dht, share, spare)
    for piece in range(inner // n):
        backward_tile(f, out, lines, t, m, piece, spare, n, spare + 4 * m * n)
        placed(spare, m, n, 0, dmixed + 2 * (t * inner + piece * n), inner)


@compiled
def qkv_backward(f: Any, a: Any, i: Any, s: Any) -> None:
    """The backward pass of `qkv_forward`: to the gradient of x, where its address is not 0, plus that of `middle`."""
    m, hidden, eps, group, x, weight, h, dqkv = (
        a[0], a[1], real(types.uint32(a[2])), a[3], a[4], a[5], a[6], a[7],
    )  # fmt: skip
    cos, sin, d, turning, dmiddle, dx, share = a[8], a[9], a[10], a[11], a[12], a[13], a[14] + 4 * i * a[15]
    g, t, at = integers(group), i * m, 2 * i * m * hidden
    outputs, n, ranks = g[OUT], g[BACKWARD], g[RANKS]
    grads, dnormed = s, s + 2 * m * (outputs + ranks)
    normed, scales = dnormed + 4 * m * hidden, dnormed + 6 * m * hidden
    dht = scales + 64 * m
    ht, spare, angle = dht + 2 * m * ranks, dht + 4 * m * ranks, 2 * t * d
    _rotate_back(dqkv + 2 * t * outputs, m, outputs, turning, d, cos + angle, sin + angle, grads, outputs + ranks)
    _factors(f, group, grads, h + 2 * t * ranks, ranks, m, dht, ht, share, spare)
    norm(x + at, weight, eps, m, hidden, normed, hidden, scales)
    input_gradient(f, group, normed, hidden, 0, hidden, t, m, dht, share, spare)
    if dx != 0:
        for piece in range(hidden // n):
            backward_tile(f, group, grads, t, m, piece, dnormed + 4 * piece * n, hidden, spare)
        norm_backward(dnormed, x + at, weight, scales, dmiddle + at, dx + at, m, hidden)
