"""The kernels, compiled by numba: bfloat16 in memory, float32 between.

A job is an array of int64: a counter, how many items there are, how many make a piece, which kernel, and then that
kernel's own arguments, addresses among them. An address of 0 stands for what is not there. Loops write to one array
each: LLVM vectorizes what it can prove apart.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numba import cfunc, njit, types

from adapterkit.digest import sha256_file
from adapterkit.training.fused.tiles import bits
from adapterkit.training.fused.tiles.bits import (
    FAST,
    claim,
    exp,
    f32,
    floats,
    halves,
    integers,
    larger,
    load,
    real,
    sigmoid,
    store,
)

_compiled = njit(fastmath=FAST, error_model="numpy")


@njit(inline="always")
def _gather(to: Any, a: Any, at: Any, item: Any) -> Any:
    """Into float32 `to`: the parts side by side plus the low-rank term, as `a[at:]` has them; how many numbers."""
    first, n, second, m, low = halves(a[at]), a[at + 1], halves(a[at + 2]), a[at + 3], halves(a[at + 4])
    for j in range(n):
        to[j] = load(first[item * n + j])
    for j in range(m):
        to[n + j] = load(second[item * m + j])
    if a[at + 4] != 0:
        for j in range(n + m):
            to[j] += load(low[item * (n + m) + j])
    return n + m


@_compiled
def _sum_norm(a: Any, start: Any, stop: Any) -> None:
    onto, weight, eps = halves(a[9]), halves(a[10]), real(types.uint32(a[11]))
    total, normed, scales = halves(a[12]), halves(a[13]), floats(a[14])
    line = np.empty(a[5] + a[7], np.float32)
    for t in range(start, stop):
        n = _gather(line, a, 4, t)
        at = t * n
        if a[9] != 0:
            for j in range(n):
                line[j] += load(onto[at + j])
        if a[12] != 0:
            for j in range(n):
                total[at + j] = store(line[j])
            for j in range(n):
                line[j] = load(total[at + j])
        if a[13] != 0:
            squares = f32(0.0)
            for j in range(n):
                squares += line[j] * line[j]
            r = f32(1.0) / np.sqrt(squares / f32(n) + eps)
            scales[t] = r
            for j in range(n):
                normed[at + j] = store(line[j] * r * load(weight[j]))


@_compiled
def _norm_backward(a: Any, start: Any, stop: Any) -> None:
    x, weight, scales, onto, out = halves(a[9]), halves(a[10]), floats(a[11]), halves(a[12]), halves(a[13])
    line = np.empty(a[5] + a[7], np.float32)
    for t in range(start, stop):
        n = _gather(line, a, 4, t)
        at, along, r = t * n, f32(0.0), scales[t]
        for j in range(n):
            line[j] *= load(weight[j])
        for j in range(n):
            along += line[j] * load(x[at + j])
        along *= r * r * r / f32(n)
        for j in range(n):
            line[j] = line[j] * r - load(x[at + j]) * along
        if a[12] != 0:
            for j in range(n):
                line[j] += load(onto[at + j])
        for j in range(n):
            out[at + j] = store(line[j])


@_compiled
def _heads(a: Any, start: Any, stop: Any) -> None:
    cos, sin, tokens = halves(a[9]), halves(a[10]), integers(a[11])
    q, k, v, heads, keys, d, width = halves(a[12]), halves(a[13]), halves(a[14]), a[15], a[16], a[17], a[18]
    half = d // 2
    line = np.empty(a[5] + a[7], np.float32)
    for slot in range(start, stop):
        t, row, place = tokens[slot], slot // width, slot % width
        if t < 0:
            line[:] = f32(0.0)
        else:
            _gather(line, a, 4, t)
        angle = max(t, 0) * d
        for h in range(heads + keys):
            to = q if h < heads else k
            at = ((row * heads + h if h < heads else row * keys + h - heads) * width + place) * d
            for j in range(half):
                first, second = line[h * d + j], line[h * d + half + j]
                to[at + j] = store(first * load(cos[angle + j]) - second * load(sin[angle + j]))
            for j in range(half):
                first, second = line[h * d + j], line[h * d + half + j]
                to[at + half + j] = store(second * load(cos[angle + j]) + first * load(sin[angle + j]))
        for h in range(keys):
            at = ((row * keys + h) * width + place) * d
            for j in range(d):
                v[at + j] = store(line[(heads + keys + h) * d + j])


@_compiled
def _heads_backward(a: Any, start: Any, stop: Any) -> None:
    dq, dk, dv, cos, sin, slots = halves(a[4]), halves(a[5]), halves(a[6]), halves(a[7]), halves(a[8]), integers(a[9])
    out, heads, keys, d, width = halves(a[10]), a[11], a[12], a[13], a[14]
    half, n = d // 2, (heads + 2 * keys) * d
    for t in range(start, stop):
        row, place = slots[t] // width, slots[t] % width
        for h in range(heads + keys):
            of = dq if h < heads else dk
            at = ((row * heads + h if h < heads else row * keys + h - heads) * width + place) * d
            to = t * n + h * d
            for j in range(half):
                c, s = load(cos[t * d + j]), load(sin[t * d + j])
                out[to + j] = store(load(of[at + j]) * c + load(of[at + half + j]) * s)
            for j in range(half):
                c, s = load(cos[t * d + j]), load(sin[t * d + j])
                out[to + half + j] = store(load(of[at + half + j]) * c - load(of[at + j]) * s)
        for h in range(keys):
            at = ((row * keys + h) * width + place) * d
            to = t * n + (heads + keys + h) * d
            for j in range(d):
                out[to + j] = dv[at + j]


@_compiled
def _padded(a: Any, start: Any, stop: Any) -> None:
    tokens, out, heads, d, width = integers(a[9]), halves(a[10]), a[11], a[12], a[13]
    line = np.empty(a[5] + a[7], np.float32)
    for slot in range(start, stop):
        t, row, place = tokens[slot], slot // width, slot % width
        if t < 0:
            line[:] = f32(0.0)
        else:
            _gather(line, a, 4, t)
        for h in range(heads):
            at = ((row * heads + h) * width + place) * d
            for j in range(d):
                out[at + j] = store(line[h * d + j])


@_compiled
def _unpadded(a: Any, start: Any, stop: Any) -> None:
    padded, slots, out, heads, d, width = halves(a[4]), integers(a[5]), halves(a[6]), a[7], a[8], a[9]
    for t in range(start, stop):
        row, place = slots[t] // width, slots[t] % width
        for h in range(heads):
            at, to = ((row * heads + h) * width + place) * d, (t * heads + h) * d
            for j in range(d):
                out[to + j] = padded[at + j]


@_compiled
def _weigh(a: Any, start: Any, stop: Any) -> None:
    scores, width, scale, queries = halves(a[4]), a[5], real(types.uint32(a[6])), a[7]
    line = np.empty(width, np.float32)
    for i in range(start, stop):
        n, at, top, total = width - queries + i % queries + 1, i * width, f32(-np.inf), f32(0.0)
        for j in range(n):
            line[j] = load(scores[at + j])
            top = larger(top, line[j])
        for j in range(n):
            line[j] = exp((line[j] - top) * scale)
            total += line[j]
        share = f32(1.0) / total
        for j in range(n):
            scores[at + j] = store(line[j] * share)
        for j in range(n, width):
            scores[at + j] = types.uint16(0)


@_compiled
def _weigh_backward(a: Any, start: Any, stop: Any) -> None:
    grads, weights, width, scale, queries = halves(a[4]), halves(a[5]), a[6], real(types.uint32(a[7])), a[8]
    for i in range(start, stop):
        n, at, along = width - queries + i % queries + 1, i * width, f32(0.0)
        for j in range(n):
            along += load(grads[at + j]) * load(weights[at + j])
        for j in range(n):
            grads[at + j] = store(load(weights[at + j]) * (load(grads[at + j]) - along) * scale)
        for j in range(n, width):
            grads[at + j] = types.uint16(0)


@_compiled
def _gate(a: Any, start: Any, stop: Any) -> None:
    gates, out, n = halves(a[4]), halves(a[5]), a[6]
    for t in range(start, stop):
        for j in range(n):
            gate = load(gates[2 * t * n + j])
            out[t * n + j] = store(gate * sigmoid(gate) * load(gates[(2 * t + 1) * n + j]))


@_compiled
def _gate_backward(a: Any, start: Any, stop: Any) -> None:
    grads, gates, n = halves(a[4]), halves(a[5]), a[6]
    opened, up = np.empty(n, np.float32), np.empty(n, np.float32)
    for t in range(start, stop):
        left, right = 2 * t * n, (2 * t + 1) * n
        for j in range(n):
            opened[j] = sigmoid(load(gates[left + j]))
            up[j] = load(gates[right + j])
        for j in range(n):
            grad, active = load(grads[t * n + j]), load(gates[left + j]) * opened[j]
            gates[right + j] = store(grad * active)
            gates[left + j] = store(grad * up[j] * (opened[j] + active * (f32(1.0) - opened[j])))


@_compiled
def _label_losses(a: Any, start: Any, stop: Any) -> None:
    logits, targets, losses, n = halves(a[4]), integers(a[5]), floats(a[6]), a[7]
    for t in range(start, stop):
        at, top, total = t * n, f32(-np.inf), f32(0.0)
        for j in range(n):
            top = larger(top, load(logits[at + j]))
        for j in range(n):
            total += exp(load(logits[at + j]) - top)
        wanted = load(logits[at + targets[t]]) - top
        losses[t], share = np.log(total) - wanted, f32(1.0) / total
        for j in range(n):
            logits[at + j] = store(exp(load(logits[at + j]) - top) * share)
        logits[at + targets[t]] = store(exp(wanted) * share - f32(1.0))


def _entry(stamp: int) -> Any:
    """What runs a job; numba keeps the compiled code under `stamp`, for it looks at changes of this file alone."""

    @cfunc(types.void(types.CPointer(types.int64)), cache=True)
    def run(a: Any) -> None:
        """Do pieces of a job until none is left."""
        if stamp < 0:
            return
        while True:
            start = claim(a) * a[2]
            if start >= a[1]:
                return
            stop = min(start + a[2], a[1])
            if a[3] == 0:
                _sum_norm(a, start, stop)
            elif a[3] == 1:
                _norm_backward(a, start, stop)
            elif a[3] == 2:
                _heads(a, start, stop)
            elif a[3] == 3:
                _heads_backward(a, start, stop)
            elif a[3] == 4:
                _padded(a, start, stop)
            elif a[3] == 5:
                _unpadded(a, start, stop)
            elif a[3] == 6:
                _weigh(a, start, stop)
            elif a[3] == 7:
                _weigh_backward(a, start, stop)
            elif a[3] == 8:
                _gate(a, start, stop)
            elif a[3] == 9:
                _gate_backward(a, start, stop)
            elif a[3] == 10:
                _label_losses(a, start, stop)

    return run


run = _entry(int(sha256_file(Path(bits.__file__))[:12], 16))
