"""The fused forward and backward pass against the model's own, and what it leaves to that."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from peft import LoraConfig

from adapterkit.base.load import Base
from adapterkit.errors import TrainingError
from adapterkit.evaluation.loss import label_losses
from adapterkit.lineage import BaseIdentity
from adapterkit.stack.adapter_stack import AdapterStack
from adapterkit.stack.member import StackMember
from adapterkit.training import dropout
from adapterkit.training.dropout import use_packed_dropout
from adapterkit.training.fused import attention, linear
from adapterkit.training.fused.engine import FusedStack
from adapterkit.training.fused.reasons import why_not_fused

SIZES = {
    "vocab_size": 128, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 64, "tie_word_embeddings": True,
}  # fmt: skip


def model_of(kind: str, dtype: torch.dtype = torch.float32, **changes: Any) -> Any:
    import transformers

    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(**{**SIZES, **changes})
    model = getattr(transformers, f"{kind}ForCausalLM")(config).to(dtype).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.data += torch.randn_like(parameter) * 0.05
    return model


def stack_of(model: Any, *, below: int = 0, **settings: Any) -> AdapterStack:
    """A trainee on so many frozen members, no B of which is zero."""
    stack = AdapterStack(Base(model, None, BaseIdentity("tiny", None, "a" * 64, {"kind": "none"}), None))  # type: ignore[arg-type]
    config = LoraConfig(
        **{"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "task_type": "CAUSAL_LM", **settings}
    )
    for number in range(below):
        stack.add_trainee(f"below{number}", config, seed=number)
        plain: Any = SimpleNamespace(manifest=SimpleNamespace(adapter=SimpleNamespace(variant="lora")))
        stack.members[-1] = StackMember(stack.members[-1].peft_name, plain)
    stack.add_trainee("top", config, seed=9)
    with torch.no_grad():
        for name, parameter in stack.model.named_parameters():
            if "lora_B" in name:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    stack.model.train()
    return stack


def batch_of(*lengths: int) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(5)
    width = max(lengths)
    mask = (torch.arange(width) < torch.tensor(lengths)[:, None]).long()
    ids = torch.randint(3, SIZES["vocab_size"], mask.shape, generator=draw) * mask
    labels = torch.where((mask == 1) & (torch.rand(mask.shape, generator=draw) < 0.6), ids, -100)
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def both(stack: AdapterStack, batch: dict[str, torch.Tensor]) -> list[tuple[torch.Tensor, list[torch.Tensor]]]:
    """Mean loss and the trainee's gradients, by the model and fused."""
    assert why_not_fused(stack) is None
    found = []
    for losses_of in (lambda: label_losses(stack.model, batch), lambda: FusedStack(stack).label_losses(batch)):
        losses, targets = losses_of()
        loss = losses.sum() / (targets >= 0).sum()
        loss.backward()
        found.append((loss.detach(), [p.grad.clone() for p in stack.trainee_parameters() if p.grad is not None]))
        stack.model.zero_grad()
    return found


def require_same(stack: AdapterStack, batch: dict[str, torch.Tensor], *, tolerance: float = 1e-4) -> None:
    (loss, grads), (fused_loss, fused_grads) = both(stack, batch)
    assert fused_loss.item() == pytest.approx(loss.item(), rel=tolerance)
    assert len(grads) == len(fused_grads) == len(stack.trainee_parameters())
    for grad, fused in zip(grads, fused_grads, strict=True):
        assert fused.dtype == torch.float32
        assert (fused - grad).norm() <= tolerance * 10 * grad.norm() + 1e-7


@pytest.mark.parametrize("kind", ["Llama", "Qwen2", "Mistral"])
@pytest.mark.parametrize("below", [0, 2])
def test_it_is_the_models_own_mathematics(kind: str, below: int) -> None:
    changes = {"sliding_window": None} if kind == "Mistral" else {}
    require_same(stack_of(model_of(kind, **changes), below=below), batch_of(7, 12, 3))


@pytest.mark.parametrize(
    "settings",
    [
        {"use_rslora": True}, {"target_modules": ["q_proj", "v_proj"]}, {"target_modules": ["down_proj"]},
        {"rank_pattern": {"up_proj": 2}, "alpha_pattern": {"k_proj": 3}}, {"r": 1},
    ],
)  # fmt: skip
def test_whatever_the_adapter_looks_like(settings: dict[str, Any]) -> None:
    require_same(stack_of(model_of("Llama"), below=1, **settings), batch_of(5, 9))


def rotated(kind: str, **more: Any) -> dict[str, Any]:
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 10000.0, **more}}


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("Llama", {"attention_bias": True, "mlp_bias": True}), ("Llama", {"head_dim": 16}), ("Qwen2", {"head_dim": 4}),
        ("Llama", {"tie_word_embeddings": False, "num_key_value_heads": 1}), ("Llama", {"rms_norm_eps": 0.5}),
        ("Llama", rotated("linear", factor=2.0)),
        ("Llama", rotated("yarn", factor=4.0, original_max_position_embeddings=16)),
        ("Llama", rotated("llama3", factor=8.0, original_max_position_embeddings=16, low_freq_factor=1.0,
                          high_freq_factor=4.0)),
        # These two turn by the longest row of the batch.
        ("Llama", rotated("dynamic", factor=2.0) | {"max_position_embeddings": 16}),
        ("Llama", rotated("longrope", factor=4.0, original_max_position_embeddings=28, short_factor=[1.0] * 4,
                          long_factor=[3.0] * 4)),
        # A key that this class does not read, and layers of which none has a window.
        ("Llama", {"sliding_window": 4}),
        ("Qwen2", {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 2}),
    ],
)  # fmt: skip
def test_whatever_the_base_looks_like(kind: str, changes: dict[str, Any]) -> None:
    require_same(stack_of(model_of(kind, **changes)), batch_of(7, 27, 3))


def test_of_a_base_whose_config_was_cut_as_many_layers_run_as_in_the_model() -> None:
    stack = stack_of(model_of("Llama", num_hidden_layers=3))
    stack.model.get_base_model().config.num_hidden_layers = 2
    (loss, _), (fused, _) = both(stack, batch_of(5, 9))
    assert fused.item() == pytest.approx(loss.item(), rel=1e-4)


@pytest.mark.parametrize("lengths", [(1, 9), (6, 6), (11,), (2, 3, 4, 5)])
@pytest.mark.parametrize("block", [256, 4])
def test_whatever_the_rows_look_like(lengths: tuple[int, ...], block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "BLOCK", block)
    require_same(stack_of(model_of("Llama")), batch_of(*lengths))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("lengths", [(7, 3), (1,), (1, 1, 1)])
@pytest.mark.parametrize("first", [True, False])
def test_without_a_label_loss_and_gradients_are_zero(lengths: tuple[int, ...], first: bool, dtype: torch.dtype) -> None:
    """The label of a row's first token counts for nothing, for no token comes before it."""
    stack, batch = stack_of(model_of("Llama", dtype), lora_dropout=0.5), batch_of(*lengths)
    batch["labels"] = torch.where((torch.arange(max(lengths)) == 0) & first, batch["input_ids"], -100)
    for losses, targets in (label_losses(stack.model, batch), FusedStack(stack).label_losses(batch)):
        assert losses.numel() == targets.numel() == 0
        losses.sum().backward()
        assert all(p.grad is not None and not p.grad.any() for p in stack.trainee_parameters())
        stack.model.zero_grad()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(2, 5), (2, 0), (0, 5)])
def test_a_batch_without_tokens_is_told(shape: tuple[int, int], dtype: torch.dtype) -> None:
    """The compiled kernels would read where nothing is."""
    batch = dict.fromkeys(("input_ids", "attention_mask", "labels"), torch.zeros(shape, dtype=torch.int64))
    with pytest.raises(TrainingError, match=f"A batch of {shape[0]} x {shape[1]} places holds no token"):
        FusedStack(stack_of(model_of("Llama", dtype))).label_losses(batch)


def test_one_token_predicts_the_second() -> None:
    ids = torch.tensor([[5, 6]])
    require_same(stack_of(model_of("Llama")), {"input_ids": ids, "attention_mask": ids * 0 + 1, "labels": ids})


def test_dropout_falls_on_the_trainees_input_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def kept(x: torch.Tensor, p: float) -> torch.Tensor:
        """The same values of a token whatever row it stands in, and p of them dropped."""
        return (torch.arange(x.shape[-1]) % 4 != 0).expand(x.shape)

    monkeypatch.setattr(dropout, "kept_values", kept)
    monkeypatch.setattr(linear, "kept_values", kept)
    stack = stack_of(model_of("Llama"), below=1, lora_dropout=0.25)
    for member in stack.members[:-1]:
        from adapterkit.stack.layers import silence_dropout

        silence_dropout(stack.model, member.peft_name)
    use_packed_dropout(stack.model, stack.trainee.peft_name)
    require_same(stack, batch_of(7, 12, 3))


def test_in_bfloat16_it_is_as_near_to_float32_as_the_model_is() -> None:
    batch = batch_of(20, 17, 9)
    (whole, _), _ = both(stack_of(model_of("Llama")), batch)
    (rounded, _), (fused, _) = both(stack_of(model_of("Llama", torch.bfloat16)), batch)
    assert abs(fused - whole) < 2 * abs(rounded - whole) + 0.01 * whole


@pytest.mark.parametrize(
    ("kind", "changes", "settings", "why"),
    [
        ("Llama", {"hidden_act": "gelu"}, {}, "its activation is gelu"),
        ("Mistral", {"sliding_window": 4}, {}, "looks back over a window"),
        ("Mistral", {"sliding_window": 4, "use_sliding_window": False}, {}, "looks back over a window"),
        ("Qwen2", {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1}, {}, "over a window"),
        ("Llama", {"attention_dropout": 0.1}, {}, "its attention_dropout is 0.1"),
        ("Llama", {"is_causal": False}, {}, "its attention looks ahead"),
        ("Llama", {"attention_bias": True, "mlp_bias": True}, {"lora_bias": True}, "an adapter is more than A and B"),
        ("Llama", {}, {"target_modules": ["q_proj"], "alora_invocation_tokens": [5]}, "more than A and B"),
        ("Llama", {}, {"use_dora": True}, "DoRA"),
        ("Llama", {}, {"target_modules": ["q_proj", "lm_head"]}, "lm_head bears an adapter"),
        ("Gemma", {"head_dim": 8}, {}, "GemmaForCausalLM is not of a layout"),
    ],
)
def test_what_it_leaves_to_the_model(kind: str, changes: Any, settings: Any, why: str) -> None:
    if "lm_head" in settings.get("target_modules", ()):
        changes = {**changes, "tie_word_embeddings": False}
    stack = stack_of(model_of(kind, **changes), **settings)
    assert why in str(why_not_fused(stack))


def test_a_norm_in_another_dtype_is_left_to_the_model() -> None:
    model = model_of("Llama", torch.bfloat16)
    model.model.layers[1].post_attention_layernorm.float()
    assert why_not_fused(stack_of(model)) == "1.post_attention_layernorm computes in another dtype than the rest"


def test_a_hook_on_a_module_is_not_passed_over() -> None:
    stack = stack_of(model_of("Llama"))
    assert why_not_fused(stack) is None
    stack.model.get_base_model().model.layers[0].register_forward_hook(lambda *_: None)
    assert why_not_fused(stack) == "something hooks into its modules"
