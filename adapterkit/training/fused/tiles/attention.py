"""Causal attention of one head of keys in one row, and of all heads of queries that it serves, in blocks of queries.

As in FlashAttention (Dao et al., 2022), what the backward pass needs of the weights is one number a query, the
logarithm of their sum; a block of queries meets all keys before it at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from adapterkit.training.fused.tiles.bits import exp, f32, floats, halves, integers, larger, product, real, store
from adapterkit.training.fused.tiles.rows import cleared, compiled, rounded, turned, turned_pairs, weave

# Weights below e^-80 are zero: products with them would leave the normal numbers, which are slow.
_NOTHING = f32(-80.0)


@compiled
def _weave_rows(x: Any, ldx: Any, count: Any, d: Any, out: Any, room: Any) -> None:
    """Rows woven in pairs, zeros from row `count` to `room`, which is even."""
    cleared(out + 4 * (count // 2) * d, (room // 2 - count // 2) * d)
    weave(x, ldx, count, d, out)
    if count % 2:
        line, to = halves(x + 2 * (count - 1) * ldx), halves(out + 4 * (count // 2) * d)
        for j in range(d):
            to[2 * j] = line[j]


@compiled
def _weigh(scores: Any, m: Any, seen: Any, before: Any, scale: Any, weights: Any, sums: Any, tops: Any) -> None:
    """exp((score - top) * scale) in bfloat16, (m, seen), zero where a key comes after its query; sums and tops."""
    total, most = floats(sums), floats(tops)
    for i in range(m):
        line, to, n = floats(scores + 4 * i * seen), halves(weights + 2 * i * seen), before + i + 1
        top, sum_ = f32(-np.inf), f32(0.0)
        for j in range(n):
            top = larger(top, line[j])
        for j in range(n):
            value = (line[j] - top) * scale
            weight = exp(value)
            line[j] = f32(0.0) if value < _NOTHING else weight
        for j in range(n):
            sum_ += line[j]
        for j in range(n):
            to[j] = store(line[j])
        for j in range(n, seen):
            to[j] = types.uint16(0)
        total[i], most[i] = sum_, top


@compiled
def attend(f: Any, a: Any, item: Any, s: Any) -> None:
    """Queries, keys and values side by side -> what each query found, and the logarithm of its sum of weights."""
    starts, lengths, heads, keys, d, scale = integers(a[0]), integers(a[1]), a[2], a[3], a[4], real(types.uint32(a[5]))
    block, room, qkv, out, logs, tokens, ldo = a[6], a[7], a[8], a[9], a[10], a[11], a[12]
    row, key, shared, ld = item // keys, item % keys, heads // keys, (heads + 2 * keys) * d
    start, count = starts[row], lengths[row]
    base = qkv + 2 * start * ld
    turned_k, v = s, s + 2 * room * d
    scores = v + 2 * room * d
    weights = scores + 4 * block * room
    found, sums = weights + 2 * block * room, weights + 2 * block * room + 4 * block * d
    tops = sums + 4 * block
    cleared(turned_k, room * d // 2)
    turned_pairs(base + 2 * (heads + key) * d, ld, count, d, turned_k, room)
    _weave_rows(base + 2 * (heads + keys + key) * d, ld, count, d, v, room)
    for head in range(key * shared, (key + 1) * shared):
        for first in range(0, count, block):
            seen, m = first + block, min(block, count - first)
            product(f, block, seen, d, ld, room, seen, 0, base + 2 * (first * ld + head * d), turned_k, scores)
            _weigh(scores, m, seen, first, scale, weights, sums, tops)
            product(f, block, d, seen, seen, d, d, 0, weights, v, found)
            total, most, log = floats(sums), floats(tops), floats(logs + 4 * (head * tokens + start + first))
            for i in range(m):
                line, share = floats(found + 4 * i * d), f32(1.0) / total[i]
                to = halves(out + 2 * ((start + first + i) * ldo + head * d))
                for j in range(d):
                    to[j] = store(line[j] * share)
                log[i] = most[i] * scale + np.log(total[i])


@compiled
def _weights_back(
    scores: Any, grads: Any, block: Any, first: Any, scale: Any, log: Any, weights: Any, plain: Any, along: Any
) -> None:
    """Of keys times queries, both float32 (keys, block): weights and the gradients of scores, bfloat16, the same shape.

    `log` is infinite for a query that is not there; `along` takes block numbers.
    """
    keys, logs, sums = first + block, floats(log), floats(along)
    for i in range(block):
        sums[i] = f32(0.0)
    for j in range(keys):
        line, g, w = floats(scores + 4 * j * block), floats(grads + 4 * j * block), halves(weights + 2 * j * block)
        for i in range(block):
            value = line[i] * scale - logs[i]
            weight = exp(value if value < f32(0.0) else f32(0.0))
            line[i] = f32(0.0) if value < _NOTHING else weight
        for i in range(j - first):
            line[i] = f32(0.0)
        for i in range(block):
            w[i] = store(line[i])
        for i in range(block):
            sums[i] += line[i] * g[i]
    for j in range(keys):
        line, g, to = floats(scores + 4 * j * block), floats(grads + 4 * j * block), halves(plain + 2 * j * block)
        for i in range(block):
            to[i] = store(line[i] * (g[i] - sums[i]) * scale)


@compiled
def attend_backward(f: Any, a: Any, item: Any, s: Any) -> None:
    """The backward pass of `attend`: from the gradient of what was found to those of queries, keys and values."""
    starts, lengths, heads, keys, d, scale = integers(a[0]), integers(a[1]), a[2], a[3], a[4], real(types.uint32(a[5]))
    block, room, qkv, logs, tokens, dout, dqkv = a[6], a[7], a[8], a[9], a[10], a[11], a[12]
    row, key, shared, ld = item // keys, item % keys, heads // keys, (heads + 2 * keys) * d
    start, count, width = starts[row], lengths[row], heads * d
    base, to = qkv + 2 * start * ld, dqkv + 2 * start * ld
    k, v = base + 2 * (heads + key) * d, base + 2 * (heads + keys + key) * d
    dk, dv = s, s + 4 * room * d
    turned_k = dv + 4 * room * d
    scores = turned_k + 2 * room * d
    grads = scores + 4 * room * block
    weights = grads + 4 * room * block
    plain, woven = weights + 2 * room * block, weights + 4 * room * block
    turned_q = weights + 6 * room * block
    turned_d, q_pairs, d_pairs = turned_q + 2 * block * d, turned_q + 4 * block * d, turned_q + 6 * block * d
    dq, sums = turned_q + 8 * block * d, turned_q + 12 * block * d
    cleared(dk, 2 * room * d)
    cleared(turned_k, room * d // 2)
    turned(k, ld, count, d, turned_k, room)
    for head in range(key * shared, (key + 1) * shared):
        for first in range(0, count, block):
            seen, m = first + block, min(block, count - first)
            q, g = base + 2 * (first * ld + head * d), dout + 2 * ((start + first) * width + head * d)
            cleared(turned_q, block * d)
            turned_pairs(q, ld, m, d, turned_q, block)
            turned_pairs(g, width, m, d, turned_d, block)
            _weave_rows(q, ld, m, d, q_pairs, block)
            _weave_rows(g, width, m, d, d_pairs, block)
            product(f, seen, block, d, ld, block, block, 0, k, turned_q, scores)
            product(f, seen, block, d, ld, block, block, 0, v, turned_d, grads)
            # What was read behind the last key is of another row of the batch.
            cleared(scores + 4 * (first + m) * block, (block - m) * block)
            cleared(grads + 4 * (first + m) * block, (block - m) * block)
            known, log = floats(logs + 4 * (head * tokens + start + first)), floats(sums)
            for i in range(block):
                log[i] = known[i] if i < m else f32(np.inf)
            _weights_back(scores, grads, block, first, scale, sums, weights, plain, sums + 4 * block)
            weave(plain, block, seen, block, woven)
            product(f, seen, d, block, block, d, d, 1, weights, d_pairs, dv)
            product(f, seen, d, block, block, d, d, 1, plain, q_pairs, dk)
            product(f, d, block, seen, room, block, block, 0, turned_k, woven, dq)
            _stored_turned(dq, d, m, block, to + 2 * (first * ld + head * d), ld)
    for t in range(count):
        rounded(dk + 4 * t * d, d, to + 2 * (t * ld + (heads + key) * d))
        rounded(dv + 4 * t * d, d, to + 2 * (t * ld + (heads + keys + key) * d))


@compiled
def _stored_turned(x: Any, d: Any, m: Any, ldx: Any, out: Any, ld: Any) -> None:
    """Float32 (d, ldx) transposed into m bfloat16 rows of d."""
    values = floats(x)
    for i in range(m):
        to = halves(out + 2 * i * ld)
        for j in range(d):
            to[j] = store(values[j * ldx + i])
