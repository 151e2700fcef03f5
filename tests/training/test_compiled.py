"""The compiled steps between the products against PyTorch's own, in bfloat16."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from adapterkit.training.fused import compiled, plain, team
from adapterkit.training.fused.steps import steps_for
from adapterkit.training.fused.terms import Rows, Terms

TOKENS, HEADS, KEYS = 37, 6, 2


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape))).bfloat16()


def rows(head: int, lengths: tuple[int, ...] = (20, 12, 5)) -> Rows:
    width = max(lengths)
    where = torch.cat([torch.arange(length) + row * width for row, length in enumerate(lengths)])
    angles = torch.rand(sum(lengths), head // 2, generator=torch.Generator().manual_seed(3)) * 6
    angles = torch.cat([angles, angles], 1)
    return Rows(len(lengths), width, where, angles.cos().bfloat16(), angles.sin().bfloat16(), HEADS, KEYS)


def terms(columns: int, kind: str) -> Terms:
    if kind == "one part":
        return Terms([drawn(TOKENS, columns)])
    left = columns // 2
    low = drawn(TOKENS, columns) if kind == "two parts and low rank" else None
    return Terms([drawn(TOKENS, left), drawn(TOKENS, columns - left)], low)


KINDS = ["one part", "two parts", "two parts and low rank"]


def require_near(step: Callable[[Any], Any]) -> None:
    """Both within some bfloat16 roundings of each other; what is made in place is made of copies."""
    found, wanted = step(compiled), step(plain)
    for one, other in zip(*((each if isinstance(each, tuple) else (each,)) for each in (found, wanted)), strict=True):
        assert one.shape == other.shape
        assert one.dtype == other.dtype
        torch.testing.assert_close(one.float(), other.float(), rtol=0.02, atol=0.03)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("columns", [24, 576])
def test_sums_and_norms(kind: str, columns: int) -> None:
    onto, weight, r = drawn(TOKENS, columns), drawn(columns), torch.rand(TOKENS) + 0.5
    require_near(lambda steps: steps.summed(terms(columns, kind)))
    require_near(lambda steps: steps.summed(terms(columns, kind), onto))
    require_near(lambda steps: steps.norm(onto, weight, 1e-5))
    require_near(lambda steps: steps.summed_norm(terms(columns, kind), onto, weight, 1e-5))
    require_near(lambda steps: steps.norm_backward(terms(columns, kind), onto, weight, r, onto))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("head", [8, 64])
@pytest.mark.parametrize("lengths", [(20, 12, 5), (37,)])
def test_heads(kind: str, head: int, lengths: tuple[int, ...]) -> None:
    stand = rows(head, lengths)
    require_near(lambda steps: steps.heads(terms((HEADS + 2 * KEYS) * head, kind), stand))
    require_near(lambda steps: steps.padded(terms(HEADS * head, kind), stand))
    q, k = drawn(stand.count, HEADS, stand.width, head), drawn(stand.count, KEYS, stand.width, head)
    require_near(lambda steps: steps.unpadded(q, stand))
    require_near(lambda steps: steps.heads_backward(q, k, k, stand))


@pytest.mark.parametrize(("queries", "keys"), [(1, 1), (7, 7), (16, 16), (150, 150), (5, 40)])
def test_weights_of_attention(queries: int, keys: int) -> None:
    scores, weights = drawn(4, 3 * queries, keys) * 8, torch.softmax(drawn(4, 3 * queries, keys), -1)
    seen = torch.ones(queries, keys).tril(keys - queries)
    weights = (weights.view(4, 3, queries, keys) * seen).view(weights.shape).bfloat16()
    require_near(lambda steps: steps.weigh(scores.clone(), 0.125, queries))
    require_near(lambda steps: steps.weigh_backward(scores.clone(), weights, 0.125, queries))


@pytest.mark.parametrize("columns", [10, 1536])
def test_gates(columns: int) -> None:
    gates, grads = drawn(TOKENS, 2 * columns) * 3, drawn(TOKENS, columns)
    require_near(lambda steps: steps.gate(gates))
    require_near(lambda steps: steps.gate_backward(grads.clone(), gates.clone()))


def test_gates_far_from_zero() -> None:
    gates = torch.tensor([[-300.0, -90.0, 0.0, 90.0, 300.0] + [1.0] * 5]).bfloat16()
    require_near(lambda steps: steps.gate(gates))
    require_near(lambda steps: steps.gate_backward(gates[:, 5:].clone(), gates.clone()))


def test_losses_are_float32s() -> None:
    logits, targets = drawn(TOKENS, 999) * 4, torch.randint(0, 999, (TOKENS,))
    require_near(lambda steps: steps.label_losses(logits.clone(), targets))
    losses, _ = compiled.label_losses(logits.clone(), targets)
    torch.testing.assert_close(losses, torch.nn.functional.cross_entropy(logits.float(), targets, reduction="none"))


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_what_is_not_finite_is_not_lost(value: float) -> None:
    """Or the trainer would train on."""
    odd = drawn(TOKENS, 64)
    odd[9, 5] = value
    for found in (
        compiled.summed(Terms([odd]), odd),
        compiled.norm(odd, drawn(64), 1e-5)[0],
        compiled.norm_backward(Terms([odd]), drawn(TOKENS, 64), drawn(64), torch.ones(TOKENS), drawn(TOKENS, 64)),
        compiled.gate(odd),
        compiled.weigh_backward(odd.clone().view(1, TOKENS, 64), odd.view(1, TOKENS, 64), 1.0, TOKENS),
        compiled.label_losses(odd.clone(), torch.zeros(TOKENS, dtype=torch.int64))[0],
    ):
        assert not torch.isfinite(found).all()
    square = drawn(1, 8, 8)
    square[0, 5, 2] = torch.nan
    assert torch.isnan(compiled.weigh(square, 1.0, 8)[0, 5, :6]).all()


def test_the_same_bits_whoever_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    gates = drawn(333, 2 * 96)
    found = [compiled.gate(gates) for _ in range(5)]
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if threads > 1 else 3)
    try:
        found.append(compiled.gate(gates))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(each, found[0]) for each in found)


def test_without_pytorchs_openmp_it_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    assert steps_for(torch.bfloat16) is compiled
    assert steps_for(torch.float32) is plain
    steps_for.cache_clear()
    monkeypatch.setattr("adapterkit.training.fused.steps.parallel", lambda: None)
    assert steps_for(torch.bfloat16) is plain
    steps_for.cache_clear()
    assert team.parallel() is not None
