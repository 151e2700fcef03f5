"""The compiled passes against the model itself in float32, beside what the model makes of it in bfloat16."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch

from adapterkit.evaluation.loss import label_losses
from adapterkit.stack.adapter_stack import AdapterStack
from adapterkit.stack.layers import silence_dropout
from adapterkit.training import dropout
from adapterkit.training.dropout import use_packed_dropout
from adapterkit.training.fused.block import PlainStack
from adapterkit.training.fused.engine import FusedStack
from adapterkit.training.fused.tiles import blocks, choice, group, pages, team
from tests.training.test_fused import batch_of, model_of, stack_of

if team.products() is None:
    pytest.skip("needs a CPU with a matrix unit (AMX): only there do compiled passes run", allow_module_level=True)

from adapterkit.training.fused.tiles.stack import TileHead, TileStack

WIDER = {"hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 4, "num_key_value_heads": 2}


def stacks(kind: str = "Llama", changes: Any = None, **settings: Any) -> tuple[AdapterStack, AdapterStack]:
    """The same in float32 and in bfloat16, to the last bit of every weight."""
    sizes = {**WIDER, **({"sliding_window": None} if kind == "Mistral" else {}), **(changes or {})}
    rounded = stack_of(model_of(kind, torch.bfloat16, **sizes), **settings)
    whole = stack_of(model_of(kind, **sizes), **settings)
    held = dict(rounded.model.named_parameters())
    with torch.no_grad():
        for name, parameter in whole.model.named_parameters():
            parameter.copy_(held[name].float())
            held[name].data = held[name].float() if "lora" in name else held[name].data
    return whole, rounded


def by_model(stack: AdapterStack, batch: dict[str, torch.Tensor]) -> tuple[float, torch.Tensor]:
    return loss_and_gradient(stack, label_losses(stack.model, batch))


def fused(stack: AdapterStack, batch: dict[str, torch.Tensor]) -> tuple[float, torch.Tensor]:
    engine = FusedStack(stack)
    assert isinstance(engine._stack, TileStack)
    return loss_and_gradient(stack, engine.label_losses(batch))


def loss_and_gradient(stack: AdapterStack, found: tuple[torch.Tensor, torch.Tensor]) -> tuple[float, torch.Tensor]:
    """The mean loss, and every gradient in one vector."""
    losses, targets = found
    loss = losses.sum() / (targets >= 0).sum()
    loss.backward()
    gradient = torch.cat([parameter.grad.flatten() for parameter in stack.trainee_parameters()])
    stack.model.zero_grad()
    assert gradient.dtype == torch.float32
    return loss.item(), gradient.clone()


def require_near(stacks: tuple[AdapterStack, AdapterStack], batch: dict[str, torch.Tensor]) -> None:
    """As near to float32 as the model's own bfloat16, in loss and gradient, and in no parameter far from it."""
    whole, rounded = stacks
    loss, gradient = by_model(whole, batch)
    model_loss, model_gradient = by_model(rounded, batch)
    own_loss, own_gradient = fused(rounded, batch)
    assert abs(own_loss - loss) <= 1.5 * abs(model_loss - loss) + 0.004 * loss
    assert (own_gradient - gradient).norm() <= 1.5 * (model_gradient - gradient).norm() + 0.01 * gradient.norm()
    sizes = [parameter.numel() for parameter in rounded.trainee_parameters()]
    for right, model, own in zip(
        *(each.split(sizes) for each in (gradient, model_gradient, own_gradient)), strict=True
    ):
        assert (own - right).norm() <= 3 * (model - right).norm() + 0.02 * right.norm() + 1e-6


@pytest.mark.parametrize("kind", ["Llama", "Qwen2", "Mistral"])
@pytest.mark.parametrize("below", [0, 2])
def test_it_is_the_models_own_mathematics(kind: str, below: int) -> None:
    require_near(stacks(kind, below=below), batch_of(17, 40, 3))


@pytest.mark.parametrize(
    "settings",
    [
        {"r": 1},
        {"r": 5, "use_rslora": True},
        {"r": 40},
        {"target_modules": ["q_proj", "v_proj"]},
        {"target_modules": ["o_proj", "up_proj"], "below": 1},
        {"target_modules": ["down_proj"]},
        {"rank_pattern": {"q_proj": 2, "gate_proj": 20}, "alpha_pattern": {"q_proj": 64}},
        {"layers_to_transform": [1], "target_modules": ["q_proj", "up_proj"]},
    ],
)
def test_whatever_the_adapter_looks_like(settings: dict[str, Any]) -> None:
    require_near(stacks(**settings), batch_of(17, 40, 3))


@pytest.mark.parametrize(
    "changes",
    [
        {"num_key_value_heads": 4},
        {"num_key_value_heads": 1},
        {"head_dim": 32},
        {"hidden_size": 96, "num_attention_heads": 6, "num_key_value_heads": 3},
        {"intermediate_size": 1104},
        {"vocab_size": 131},
        {"attention_bias": True},
        {"num_hidden_layers": 1},
    ],
)
def test_whatever_the_base_looks_like(changes: dict[str, Any]) -> None:
    require_near(stacks(changes=changes), batch_of(17, 40, 3))


@pytest.mark.parametrize("lengths", [(3,), (3, 1), (33,), (32, 64), (1,) * 30 + (5,), (150, 149, 20, 96), (1300, 700)])
def test_whatever_the_rows_look_like(lengths: tuple[int, ...]) -> None:
    """One block and many, one query and more than are taken at a time, of rows longer than 512 as well."""
    require_near(stacks(changes={"max_position_embeddings": 2048}), batch_of(*lengths))


def test_rows_do_not_see_each_other() -> None:
    _, rounded = stacks()
    batch, other = batch_of(30, 20), batch_of(30, 20)
    other["input_ids"][0] = 7
    engine = FusedStack(rounded)
    kept = (batch["labels"][1, 1:] >= 0).sum()
    one, two = (engine.label_losses(each)[0].detach() for each in (batch, other))
    assert not torch.equal(one, two)
    assert torch.equal(one[-kept:], two[-kept:])


@pytest.mark.parametrize("target", ["all-linear", ["k_proj", "down_proj"]])
def test_dropout_falls_on_the_trainees_input_alone(target: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def kept(x: torch.Tensor, p: float) -> torch.Tensor:
        """The same values of a token whatever row it stands in, and p of them dropped."""
        return (torch.arange(x.shape[-1]) % 4 != 0).expand(x.shape).contiguous()

    monkeypatch.setattr(dropout, "kept_values", kept)
    monkeypatch.setattr(group, "kept_values", kept)
    pair = stacks(below=1, lora_dropout=0.25, target_modules=target)
    for stack in pair:
        silence_dropout(stack.model, stack.members[0].peft_name)
        use_packed_dropout(stack.model, stack.trainee.peft_name)
    require_near(pair, batch_of(17, 40, 3))


def test_dropout_is_drawn_anew_and_from_the_seed() -> None:
    _, rounded = stacks(lora_dropout=0.5)
    use_packed_dropout(rounded.model, rounded.trainee.peft_name)
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(fused(rounded, batch_of(17, 40, 3))[1])
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_the_same_bits_whoever_claims_what() -> None:
    _, rounded = stacks(below=1)
    batch = batch_of(300, 299, 120, 30, 5)
    found = [fused(rounded, batch) for _ in range(5)]
    assert all(loss == found[0][0] and torch.equal(gradient, found[0][1]) for loss, gradient in found)


def test_what_a_step_leaves_does_not_change_the_next() -> None:
    """Memory comes again: for a shorter batch, and for the longer one after it."""
    _, rounded = stacks()
    engine = FusedStack(rounded)
    long, short = batch_of(90, 80), batch_of(9, 3)
    found = [loss_and_gradient(rounded, engine.label_losses(each)) for each in (long, short, long, short)]
    assert found[0][0] == found[2][0]
    assert torch.equal(found[0][1], found[2][1])
    assert torch.equal(found[1][1], found[3][1])


def test_between_steps_nothing_need_be_held() -> None:
    _, rounded = stacks()
    engine, batch = FusedStack(rounded), batch_of(90, 80)
    before = loss_and_gradient(rounded, engine.label_losses(batch))
    engine.rest()
    assert len(engine._stack._arena._memory) == 0
    after = loss_and_gradient(rounded, engine.label_losses(batch))
    assert before[0] == after[0]
    assert torch.equal(before[1], after[1])


def test_every_layer_has_room_for_its_own_ranks() -> None:
    """The first has none, and needs less than the second."""
    wide = {"r": 300, "lora_alpha": 300, "layers_to_transform": [1], "target_modules": ["q_proj", "k_proj", "v_proj"]}
    require_near(stacks(**wide), batch_of(150, 149, 20, 96))


def test_threads_may_become_more() -> None:
    _, rounded = stacks()
    threads, batch = torch.get_num_threads(), batch_of(150, 149, 20, 96)
    try:
        torch.set_num_threads(1)
        engine = FusedStack(rounded)
        loss_and_gradient(rounded, engine.label_losses(batch))
        torch.set_num_threads(4)
        found = loss_and_gradient(rounded, engine.label_losses(batch))
        wanted = fused(rounded, batch)
    finally:
        torch.set_num_threads(threads)
    assert found[0] == wanted[0]
    assert torch.equal(found[1], wanted[1])


@pytest.mark.parametrize("then", [lambda engine: engine.label_losses(batch_of(9, 3)), lambda engine: engine.rest()])
def test_activations_that_are_overwritten_are_not_used(then: Any) -> None:
    _, rounded = stacks()
    engine = FusedStack(rounded)
    losses, _ = engine.label_losses(batch_of(9, 3))
    then(engine)
    with pytest.raises(RuntimeError, match="after the next one has begun"):
        losses.sum().backward()


def test_the_optimizers_step_is_seen() -> None:
    _, rounded = stacks()
    engine, batch = FusedStack(rounded), batch_of(17, 40)
    before = engine.label_losses(batch)[0].detach()
    with torch.no_grad():
        for parameter in rounded.trainee_parameters():
            parameter.add_(0.1)
    assert not torch.equal(engine.label_losses(batch)[0].detach(), before)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_what_is_not_finite_is_not_lost(value: float) -> None:
    """Or the trainer would train on."""
    _, rounded = stacks()
    next(iter(rounded.trainee_parameters())).data[0, 3] = value
    loss, _ = fused(rounded, batch_of(17, 40))
    assert not torch.isfinite(torch.tensor(loss))


def test_losses_are_float32s_and_gradients_those_of_softmax() -> None:
    draw = torch.Generator().manual_seed(3)
    weight, hidden = (torch.randn(n, 64, generator=draw).bfloat16() for n in (3200, 37))
    targets = torch.randint(0, 3200, (37,), generator=draw)
    targets[0], targets[1] = 0, 3199
    exact = hidden.float().requires_grad_()
    wanted = torch.nn.functional.cross_entropy(exact @ weight.float().t(), targets, reduction="none")
    wanted.sum().backward()
    losses, grads = TileHead(weight, team.Team(), pages.Pool())(hidden, targets)
    torch.testing.assert_close(losses, wanted, rtol=0.005, atol=0.02)
    assert (grads.float() - exact.grad).norm() < 0.01 * exact.grad.norm()


@pytest.mark.parametrize("tokens", [1, 15, 16, 191, 384, 385, 1104, 5000])
def test_blocks_hold_all_tokens_and_little_more(tokens: int) -> None:
    cut = blocks.cut(tokens)
    each, *edges = cut.edges.tolist()
    sizes = [after - before for before, after in itertools.pairwise(edges)]
    assert (edges[0], edges[-1]) == (0, cut.tokens)
    assert all(0 < size <= cut.size and size % 16 == 0 for size in sizes)
    assert max(sizes) == cut.size <= blocks.TOKENS
    assert len(sizes) == cut.chunks * each
    assert cut.chunks == min(torch.get_num_threads(), -(-tokens // 16))
    assert tokens <= cut.tokens < tokens + 16


@pytest.mark.parametrize(
    ("where", "what"),
    [("parallel", lambda: None), ("products", lambda: None), ("COPIED_UP_TO", 1000)],
)
def test_elsewhere_pytorch_computes(where: str, what: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, where, what)
    _, rounded = stacks()
    engine = FusedStack(rounded)
    assert isinstance(engine._stack, PlainStack)
    assert engine.engine == "fused, plain"


def test_factors_in_another_dtype_are_left_to_pytorch() -> None:
    _, rounded = stacks()
    for parameter in rounded.trainee_parameters():
        parameter.data = parameter.data.bfloat16()
    assert isinstance(FusedStack(rounded)._stack, PlainStack)


@pytest.mark.parametrize("changes", [{"hidden_size": 40, "head_dim": 16}, {"head_dim": 8}, {"intermediate_size": 100}])
def test_odd_sizes_are_left_to_pytorch(changes: dict[str, Any]) -> None:
    _, rounded = stacks(changes=changes)
    assert isinstance(FusedStack(rounded)._stack, PlainStack)


def test_weights_share_large_allocations_and_none_overlaps() -> None:
    pool = pages.Pool()
    taken = [pool.take(n, 3, dtype=torch.bfloat16) for n in (5, 70_000, 12_000_000, 7)]
    for number, each in enumerate(taken):
        each.fill_(number)
        assert each.data_ptr() % 64 == 0
    assert all(bool((each == number).all()) for number, each in enumerate(taken))
    assert taken[1].data_ptr() - taken[0].data_ptr() == 64
