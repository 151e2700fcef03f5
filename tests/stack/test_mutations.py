"""One flipped bit in any kind of frozen tensor, by any route, is found before anything is written, and named.

The layers are bitsandbytes' own, on the CPU; the base has biases, a persistent buffer and a tied head, the frozen
adapter is DoRA.
"""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from peft import LoraConfig, prepare_model_for_kbit_training
from transformers import LlamaForCausalLM

from adapterkit.base import precision
from adapterkit.base.fingerprint import fingerprint
from adapterkit.base.load import identify, load_base
from adapterkit.config.groups import quantization_named
from adapterkit.config.schema import ModelConfig
from adapterkit.errors import FrozenChangedError
from adapterkit.stack.adapter_stack import AdapterStack
from adapterkit.stack.freeze_guard import FreezeGuard
from adapterkit.workflows.train import train
from tests.workflows.tiny import Workshop

_BLOCK = "base_model.model.model.layers.0"
_Q = f"{_BLOCK}.self_attn.q_proj"
_Q_NAME = "model.layers.0.self_attn.q_proj"
_ADAPTER = "base_model.model.model.layers.0.mlp.up_proj"


@dataclass(frozen=True)
class Kind:
    """Where a tensor lives: a module in its parent, and how to get from the module to whatever holds the tensor."""

    quantization: str
    parent: str
    child: str
    attribute: str
    name: str
    holder: Callable[[Any], Any] = lambda module: module

    def module(self, stack: AdapterStack) -> torch.nn.Module:
        parent: torch.nn.Module = stack.model.get_submodule(self.parent)
        return parent._modules[self.child]


def state(module: Any) -> Any:
    return module.weight.quant_state


KINDS = {
    "packed 4-bit weight": Kind("nf4", _Q, "base_layer", "weight", f"{_Q_NAME}.weight"),
    "absmax": Kind("nf4", _Q, "base_layer", "absmax", f"{_Q_NAME}.weight.absmax", state),
    "code": Kind("nf4", _Q, "base_layer", "code", f"{_Q_NAME}.weight.code", state),
    "offset": Kind("nf4", _Q, "base_layer", "offset", f"{_Q_NAME}.weight.offset", state),
    "nested absmax": Kind(
        "nf4", _Q, "base_layer", "absmax", f"{_Q_NAME}.weight.state2.absmax", lambda module: state(module).state2
    ),
    "nested code": Kind(
        "nf4", _Q, "base_layer", "code", f"{_Q_NAME}.weight.state2.code", lambda module: state(module).state2
    ),
    "bias of a 4-bit layer": Kind("nf4", _Q, "base_layer", "bias", f"{_Q_NAME}.bias"),
    "bf16 norm": Kind("nf4", "base_model.model.model", "norm", "weight", "model.norm.weight"),
    "widened norm": Kind("int8", "base_model.model.model", "norm", "weight", "model.norm.weight"),
    "tied embedding": Kind("nf4", "base_model.model.model", "embed_tokens", "weight", "model.embed_tokens.weight"),
    "persistent buffer": Kind("nf4", "base_model.model.model", "norm", "kept", "model.norm.kept"),
    "non-persistent buffer": Kind(
        "nf4", "base_model.model.model", "rotary_emb", "inv_freq", "model.rotary_emb.inv_freq"
    ),
    "int8 weight": Kind("int8", _Q, "base_layer", "weight", f"{_Q_NAME}.weight"),
    "int8 weight as the forward pass reads it": Kind(
        "int8", _Q, "base_layer", "CB", f"{_Q_NAME}.weight.CB", lambda module: module.state
    ),
    "int8 row scales": Kind(
        "int8", _Q, "base_layer", "SCB", f"{_Q_NAME}.weight.SCB", lambda module: module.state
    ),
    "frozen adapter's A": Kind("nf4", f"{_ADAPTER}.lora_A", "0_dora", "weight", "up_proj.lora_A"),
    "frozen adapter's B": Kind("nf4", f"{_ADAPTER}.lora_B", "0_dora", "weight", "up_proj.lora_B"),
    "DoRA magnitude": Kind(
        "nf4", f"{_ADAPTER}.lora_magnitude_vector", "0_dora", "weight", "up_proj.lora_magnitude_vector"
    ),
}  # fmt: skip


def bits(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.view({1: torch.uint8, 2: torch.int16, 4: torch.int32}[tensor.element_size()])


def flipped(tensor: torch.Tensor) -> torch.Tensor:
    made = tensor.detach().clone()
    bits(made)[(-1,) * made.dim()] ^= 1
    return made


def exchanged(tensor: torch.Tensor) -> torch.Tensor:
    """What replaces a parameter, class and quantization state and all, or a plain tensor."""
    if not isinstance(tensor, torch.nn.Parameter):
        return flipped(tensor)
    other = copy.copy(tensor) if hasattr(tensor, "quant_state") else copy.deepcopy(tensor)
    other.data = flipped(tensor)
    return other


# Each route changes the lowest bit of the last element, and gives back what undoes it.
Undo = Callable[[], object]


def in_place_operation(kind: Kind, stack: AdapterStack) -> Undo:
    tensor = getattr(kind.holder(kind.module(stack)), kind.attribute)

    def flip() -> None:
        with torch.no_grad():
            bits(tensor.detach())[(-1,) * tensor.dim()].bitwise_xor_(1)

    flip()
    return flip


def data_write(kind: Kind, stack: AdapterStack) -> Undo:
    tensor = getattr(kind.holder(kind.module(stack)), kind.attribute)

    def flip() -> None:
        bits(tensor.data)[(-1,) * tensor.dim()] ^= 1

    flip()
    return flip


def numpy_alias(kind: Kind, stack: AdapterStack) -> Undo:
    tensor = getattr(kind.holder(kind.module(stack)), kind.attribute)
    alias = bits(tensor.detach()).numpy()
    version = tensor._version

    def flip() -> None:
        alias[(-1,) * alias.ndim] ^= 1

    flip()
    assert tensor._version == version  # what a version counter cannot see
    return flip


def new_storage(kind: Kind, stack: AdapterStack) -> Undo:
    tensor = getattr(kind.holder(kind.module(stack)), kind.attribute)
    kept = tensor.data
    tensor.data = flipped(tensor)
    return lambda: setattr(tensor, "data", kept)


def replaced_parameter(kind: Kind, stack: AdapterStack) -> Undo:
    holder = kind.holder(kind.module(stack))
    kept = getattr(holder, kind.attribute)
    setattr(holder, kind.attribute, exchanged(kept))
    return lambda: setattr(holder, kind.attribute, kept)


def replaced_module(kind: Kind, stack: AdapterStack) -> Undo:
    children = stack.model.get_submodule(kind.parent)._modules
    kept = children[kind.child]
    children[kind.child] = copy.deepcopy(kept)
    holder = kind.holder(children[kind.child])
    setattr(holder, kind.attribute, exchanged(getattr(holder, kind.attribute)))
    return lambda: children.__setitem__(kind.child, kept)


ROUTES = (in_place_operation, data_write, numpy_alias, new_storage, replaced_parameter, replaced_module)


@pytest.fixture(scope="module")
def workshop(tiny_base_dir, tmp_path_factory):
    """A base with biases, and a DoRA adapter trained on it."""
    folder = tmp_path_factory.mktemp("mutations")
    base = shutil.copytree(tiny_base_dir, folder / "base")
    config = LlamaForCausalLM.from_pretrained(tiny_base_dir).config
    config.attention_bias = True
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        LlamaForCausalLM(config).save_pretrained(base)
    made = Workshop(base, folder)
    train(made.config("unified"))
    train(made.config("dora", use_dora=True))
    return made


@pytest.fixture(scope="module")
def guarded(workshop):
    """Each quantization once: its stack, and a guard that watches an optimizer; every test undoes what it does."""
    made = {}
    for quantization in ("nf4", "int8"):
        held = quantization_named(quantization)
        identity, path = identify(ModelConfig(id=str(workshop.base)), held)
        with pytest.MonkeyPatch.context() as monkeypatch:
            # Some processors would compute it in float32, whose lowest bit is another one.
            monkeypatch.setattr(precision, "multiplies_bfloat16", lambda: True)
            base = load_base(identity, path, held, device=torch.device("cpu"))
        base.model.model.norm.register_buffer("kept", torch.tensor([0.1, 0.2]))
        before = fingerprint(base.model)
        if quantization == "int8":
            prepare_model_for_kbit_training(base.model, use_gradient_checkpointing=False)
        stack = AdapterStack(base, any_quantization=True)
        # PEFT's DoRA loses the row scales of an 8-bit layer on a CPU; the second forward pass fails.
        stack.attach(workshop.registry.lineage_artifacts("dora" if quantization == "nf4" else "unified"))
        stack.add_trainee("top", LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM"), seed=0)
        with torch.no_grad():
            stack.model(input_ids=torch.arange(8)[None])  # int8: the state moves from the weight to the module
        guard = FreezeGuard(stack, before)
        guard.watch(torch.optim.AdamW(stack.trainee_parameters()))
        guard.before_write()
        made[quantization] = stack, guard
    return made


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.__name__)
@pytest.mark.parametrize("kind", KINDS)
def test_every_flipped_bit_is_found_and_named(guarded, kind, route):
    where = KINDS[kind]
    stack, guard = guarded[where.quantization]
    undo = route(where, stack)
    try:
        with pytest.raises(FrozenChangedError) as caught:
            guard.before_write()
    finally:
        undo()
    assert any(where.name in name for name in caught.value.changed)
    guard.before_write()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind].attribute in ("weight", "bias")])
@pytest.mark.parametrize("route", [replaced_parameter, replaced_module], ids=lambda route: route.__name__)
def test_an_exchanged_object_is_found_before_the_next_step_without_a_look_at_its_bytes(guarded, kind, route):
    where = KINDS[kind]
    stack, guard = guarded[where.quantization]
    undo = route(where, stack)
    try:
        with pytest.raises(FrozenChangedError, match="Modules or parameters were exchanged"):
            guard.before_step(guard._optimizer)
    finally:
        undo()
    guard.before_step(guard._optimizer)
