"""The four passes of a decoder layer over a block of tokens; attention stands between them.

Arguments are addresses and sizes; `s` is the thread's scratch memory. What the backward pass can compute again from
what is in the caches anyway, it does: norms, and the product of gate and up.
"""

from __future__ import annotations

from typing import Any

from numba import types

from adapterkit.training.fused.tiles.bits import f32, floats, halves, integers, load, real, store
from adapterkit.training.fused.tiles.groups import (
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
from adapterkit.training.fused.tiles.rows import compiled, gate, gate_backward, norm, norm_backward, placed


@compiled
def _rotate(tile: Any, n: Any, m: Any, first: Any, turning: Any, d: Any, cos: Any, sin: Any, out: Any, ld: Any) -> None:
    """Heads of a float32 tile (m, n), from head `first` on, to bfloat16; those below `turning` rotated (Su et al., 2021)."""
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
def _rotate_back(x: Any, m: Any, n: Any, turning: Any, d: Any, cos: Any, sin: Any, out: Any) -> None:
    """Gradients of rotated heads, bfloat16 (m, n), to those before the rotation."""
    half = d // 2
    for t in range(m):
        c, s = halves(cos + 2 * t * d), halves(sin + 2 * t * d)
        for head in range(n // d):
            line, to = halves(x + 2 * (t * n + head * d)), halves(out + 2 * (t * n + head * d))
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
    """x -> norm -> queries, keys and values, rotated, side by side."""
    m, hidden, eps, group, x, weight, h, out, cos, sin, d, turning = (
        a[0], a[1], real(types.uint32(a[2])), a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11],
    )  # fmt: skip
    g, t = integers(group), i * m
    n, outputs, ranks = g[FORWARD], g[OUT], g[RANKS]
    normed, scales = s, s + 2 * m * hidden
    tile = scales + 64 * m
    norm(x + 2 * t * hidden, weight, eps, m, hidden, normed, scales)
    own = h + 2 * t * ranks
    low(f, group, normed, hidden, t, m, own, tile)
    for piece in range(outputs // n):
        forward_tile(f, group, normed, hidden, own, m, piece, tile)
        to = out + 2 * (t * outputs + piece * n)
        _rotate(tile, n, m, piece * n // d, turning, d, cos + 2 * t * d, sin + 2 * t * d, to, outputs)


@compiled
def _through(f: Any, group: Any, x: Any, h: Any, t: Any, m: Any, onto: Any, out: Any, s: Any) -> None:
    """x through a group, plus `onto`; x and h begin with this block, `onto` and `out` as well."""
    g = integers(group)
    n, outputs = g[FORWARD], g[OUT]
    low(f, group, x, g[IN], t, m, h, s)
    for piece in range(outputs // n):
        forward_tile(f, group, x, g[IN], h, m, piece, s)
        placed(s, m, n, onto + 2 * piece * n, out + 2 * piece * n, outputs)


@compiled
def mlp_forward(f: Any, a: Any, i: Any, s: Any) -> None:
    """What attention found -> output layer, residual -> norm -> gate and up -> down, residual."""
    m, hidden, eps, weight, out, up, down, mixed, x = (
        a[0], a[1], real(types.uint32(a[2])), a[3], a[4], a[5], a[6], a[7], a[8],
    )  # fmt: skip
    middle, gates, y, ho, hu, hd = a[9], a[10], a[11], a[12], a[13], a[14]
    go, gu, gd, t = integers(out), integers(up), integers(down), i * m
    wide, at, n = gd[IN], 2 * i * m * hidden, gu[FORWARD]
    again, scales = s, s + 2 * m * hidden
    active = scales + 64 * m
    tile = active + 2 * m * wide
    _through(f, out, mixed + 2 * t * go[IN], ho + 2 * t * go[RANKS], t, m, x + at, middle + at, tile)
    norm(middle + at, weight, eps, m, hidden, again, scales)
    own, kept = hu + 2 * t * gu[RANKS], gates + 4 * t * wide
    low(f, up, again, hidden, t, m, own, tile)
    for piece in range(wide // n):
        other = tile + 4 * m * n
        forward_tile(f, up, again, hidden, own, m, piece, tile)
        forward_tile(f, up, again, hidden, own, m, wide // n + piece, other)
        gate(tile, other, m, n, kept + 4 * piece * m * n, active + 2 * piece * n, wide)
    _through(f, down, active, hd + 2 * t * gd[RANKS], t, m, middle + at, y + at, tile)


@compiled
def _gates_backward(
    f: Any, up: Any, down: Any, dy: Any, gates: Any, hu: Any, dh: Any, dht: Any, t: Any, m: Any, dgates: Any,
    share: Any, s: Any,
) -> None:  # fmt: skip
    """The gradients of gate and up, and of the factors that read `active` or write gate and up."""
    gd = integers(down)
    wide, n = gd[IN], gd[BACKWARD]
    active = s + 4 * m * n
    spare = active + 2 * m * n
    for piece in range(wide // n):
        backward_tile(f, down, dy, dh, t, m, piece, s, n, spare)
        gate_backward(
            s, gates + 4 * piece * m * n, m, n, dgates + 2 * piece * n, dgates + 2 * (wide + piece * n), 2 * wide, active
        )
        input_gradient(f, down, active, n, piece * n, n, t, m, dht, share, spare)
        output_gradient(f, up, dgates, piece * n, n, m, hu, share, spare)
        output_gradient(f, up, dgates, wide + piece * n, n, m, hu, share, spare)


@compiled
def _factors(f: Any, group: Any, dy: Any, h: Any, m: Any, dh: Any, dht: Any, ht: Any, s: Any) -> None:
    """dh, and both dh and h transposed."""
    low_backward(f, group, dy, m, dh, s)
    trained_columns(group, dh, m, dht)
    trained_columns(group, h, m, ht)


@compiled
def mlp_backward(f: Any, a: Any, i: Any, s: Any) -> None:
    """The backward pass of `mlp_forward`: to the gradients of `middle` and `mixed`."""
    m, hidden, eps, weight, out, up, down, mixed = (
        a[0], a[1], real(types.uint32(a[2])), a[3], a[4], a[5], a[6], a[7],
    )  # fmt: skip
    middle, gates, dy, ho, hu, hd, dmiddle, dmixed = a[8], a[9], a[10], a[11], a[12], a[13], a[14], a[15]
    go, gu, gd, t, share = integers(out), integers(up), integers(down), i * m, a[16] + 4 * i * a[17]
    wide, at, ranks = gd[IN], 2 * i * m * hidden, max(go[RANKS], gu[RANKS], gd[RANKS])
    dgates, dagain = s, s + 4 * m * wide
    again, scales = dagain + 4 * m * hidden, dagain + 6 * m * hidden
    dh = scales + 64 * m
    dht, ht = dh + 2 * m * ranks, dh + 4 * m * ranks
    spare = dh + 6 * m * ranks + 64
    hut = spare
    spare += 2 * m * ranks + 64

    _factors(f, down, dy + at, hd + 2 * t * gd[RANKS], m, dh, dht, ht, spare)
    output_gradient(f, down, dy + at, 0, hidden, m, ht, share, spare)
    trained_columns(up, hu + 2 * t * gu[RANKS], m, hut)
    _gates_backward(f, up, down, dy + at, gates + 4 * t * wide, hut, dh, dht, t, m, dgates, share, spare)

    low_backward(f, up, dgates, m, dh, spare)
    trained_columns(up, dh, m, dht)
    for piece in range(hidden // gu[BACKWARD]):
        n = gu[BACKWARD]
        backward_tile(f, up, dgates, dh, t, m, piece, dagain + 4 * piece * n, hidden, spare)
    norm(middle + at, weight, eps, m, hidden, again, scales)
    input_gradient(f, up, again, hidden, 0, hidden, t, m, dht, share, spare)
    norm_backward(dagain, middle + at, weight, scales, dy + at, dmiddle + at, m, hidden)

    _factors(f, out, dmiddle + at, ho + 2 * t * go[RANKS], m, dh, dht, ht, spare)
    output_gradient(f, out, dmiddle + at, 0, hidden, m, ht, share, spare)
    inner, n = go[IN], go[BACKWARD]
    input_gradient(f, out, mixed + 2 * t * inner, inner, 0, inner, t, m, dht, share, spare)
    for piece in range(inner // n):
        backward_tile(f, out, dmiddle + at, dh, t, m, piece, spare, n, spare + 4 * m * n)
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
    grads, dnormed = s, s + 2 * m * outputs
    normed, scales = dnormed + 4 * m * hidden, dnormed + 6 * m * hidden
    dh = scales + 64 * m
    dht, ht, spare = dh + 2 * m * ranks, dh + 4 * m * ranks, dh + 6 * m * ranks + 64
    _rotate_back(dqkv + 2 * t * outputs, m, outputs, turning, d, cos + 2 * t * d, sin + 2 * t * d, grads)
    _factors(f, group, grads, h + 2 * t * ranks, m, dh, dht, ht, spare)
    output_gradient(f, group, grads, 0, outputs, m, ht, share, spare)
    norm(x + at, weight, eps, m, hidden, normed, scales)
    input_gradient(f, group, normed, hidden, 0, hidden, t, m, dht, share, spare)
    if dx != 0:
        for piece in range(hidden // n):
            backward_tile(f, group, grads, dh, t, m, piece, dnormed + 4 * piece * n, hidden, spare)
        norm_backward(dnormed, x + at, weight, scales, dmiddle + at, dx + at, m, hidden)
