"""Every merge method from its paper's formula, on dense float64 matrices in numpy; nothing of adapterkit is used."""

from __future__ import annotations

import hashlib
import json
import math

import numpy as np


def linear(changes, weights):
    """Ilharco et al. 2023, equation of task addition: the sum of w D."""
    return sum(weight * change for weight, change in zip(weights, changes, strict=True))


def average(changes):
    return np.mean(changes, axis=0)


def slerp(changes, weights):
    """Shoemake 1985, on matrices as vectors; more than two one after another."""
    merged, before = changes[0], weights[0]
    for change, weight in zip(changes[1:], weights[1:], strict=True):
        t = weight / (before + weight)
        cosine = np.vdot(merged, change) / np.linalg.norm(merged) / np.linalg.norm(change)
        angle = math.acos(cosine)
        merged = (math.sin((1 - t) * angle) * merged + math.sin(t * angle) * change) / math.sin(angle)
        before += weight
    return merged


def trim_mask(change, density):
    """Yadav et al. 2023, step 1: the k entries of the largest magnitude, the first ones where several are equal."""
    kept = max(1, round(density * change.size))
    order = np.argsort(-np.abs(change).ravel(), kind="stable")
    mask = np.zeros(change.size, dtype=bool)
    mask[order[:kept]] = True
    return mask.reshape(change.shape)


def elect_and_merge(trimmed, weights):
    """Yadav et al. 2023, steps 2 and 3: the sign of the greater total, the mean of those that have it."""
    signs = np.sign(linear(trimmed, weights))
    total, count = np.zeros_like(trimmed[0]), np.zeros_like(trimmed[0])
    for change, weight in zip(trimmed, weights, strict=True):
        agrees = (np.sign(change) == signs) & (signs != 0)
        total += np.where(agrees, weight * change, 0)
        count += np.where(agrees, weight, 0)
    return np.divide(total, count, out=np.zeros_like(total), where=count > 0)


def ties(changes, weights, density):
    return elect_and_merge([np.where(trim_mask(each, density), each, 0) for each in changes], weights)


def drop_mask(shape, density, seed):
    """Which entries DARE keeps: uint16 number i of PCG64's raw stream is below 65536 p."""
    size = shape[0] * shape[1]
    draws = np.random.PCG64(seed).random_raw(size // 4 + 1).view(np.uint16)[:size]
    return (draws < round(density * 65536)).reshape(shape)


def drop_and_rescale(changes, density, seeds):
    """Yu et al. 2024, equation 2."""
    realized = round(density * 65536) / 65536
    masks = [drop_mask(each.shape, density, seed) for each, seed in zip(changes, seeds, strict=True)]
    return [mask * each / realized for mask, each in zip(masks, changes, strict=True)]


def dare(changes, weights, density, seeds):
    return linear(drop_and_rescale(changes, density, seeds), weights)


def dare_ties(changes, weights, density, seeds):
    return elect_and_merge(drop_and_rescale(changes, density, seeds), weights)


def seeds(seed, layer, sources):
    """What the draws for the change of each source begin with: 128 bits of a sha256."""
    texts = (json.dumps([seed, number, layer], separators=(",", ":")) for number in range(sources))
    return [int(hashlib.sha256(text.encode()).hexdigest()[:32], 16) for text in texts]


def left_out(exact, rank):
    """Eckart and Young 1936: the least that any matrix of that rank leaves out, as a share of the norm."""
    values = np.linalg.svd(exact, compute_uv=False)
    return float(np.linalg.norm(values[rank:]) / np.linalg.norm(values))
