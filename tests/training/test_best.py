"""The best weights: a copy that training does not touch, whole again from a checkpoint; and what is said of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from adapterkit.training.best import BEST_FILE, BestWeights, warn_of_little_learned, warn_of_no_gradient

A, B = "layers.0.q_proj.lora_A.weight", "layers.0.q_proj.lora_B.weight"
ADVICE = (
    "Lower trainer.learning_rate, see whether the validation rows are like the training rows, or keep the last "
    "weights: trainer.keep_best=false"
)


def tensors(b: float = 1.0) -> dict[str, torch.Tensor]:
    return {A: torch.full((2, 4), 0.5), B: torch.full((4, 2), b)}


def test_the_copy_is_its_own_on_the_cpu_and_comes_back_from_a_file(tmp_path: Path) -> None:
    live = {A: torch.nn.Parameter(torch.arange(8.0).reshape(4, 2).t()), B: torch.zeros(4, 2)}
    best = BestWeights.copied(0.1 + 0.2, 7, live)
    wanted = {name: tensor.detach().clone() for name, tensor in live.items()}
    with torch.no_grad():
        live[A].add_(1)
    assert {name: tensor.device.type for name, tensor in best.tensors.items()} == {A: "cpu", B: "cpu"}
    assert not any(tensor.requires_grad for tensor in best.tensors.values())
    best.write(tmp_path)
    with safe_open(tmp_path / BEST_FILE, framework="pt") as file:
        assert file.metadata() == {"format": "pt", "loss": (0.1 + 0.2).hex(), "step": "7"}
    again = BestWeights.read(tmp_path)
    assert again is not None
    assert (again.loss, again.step) == (0.1 + 0.2, 7)
    assert set(again.tensors) == set(wanted)
    assert all(torch.equal(again.tensors[name], wanted[name]) for name in wanted)
    assert BestWeights.read(tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    ("norms", "told"),
    [
        ([], None),
        ([1.0, 0.0], None),
        ([1.0, 0.0, 0.0], "2 of the 3"),
        ([None, 0.0], "1 of the 1"),
    ],
)
def test_steps_without_a_gradient_are_told(
    caplog: pytest.LogCaptureFixture, norms: list[float | None], told: str | None
) -> None:
    warn_of_no_gradient([{"loss": 1.0}, *({"grad_norm": norm} for norm in norms)])  # type: ignore[dict-item]
    assert caplog.messages == ([] if told is None else [
        f"The gradient was zero in {told} steps that were logged: the first steps went so far that nothing could be "
        "learned after them. Lower trainer.learning_rate"
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("best", "b", "told"),
    [
        (None, 1.0, None),
        (None, 0.0, "This adapter changes nothing: its weights are those it started from (B is zero). "
                    "Train more steps, or raise trainer.learning_rate"),
        (10, 0.0, "This adapter changes nothing: its weights are those it started from (B is zero). "
                  "Train more steps, or raise trainer.learning_rate"),
        (5, 0.0, "This adapter changes nothing: the weights kept are those of step 5, which are those it started from "
                 f"(B is zero). {ADVICE}"),
        (1, 1.0, "The weights kept are those of step 1: their validation loss, 2.2500, was the lowest, and the 9 steps "
                 f"after it only raised it. {ADVICE}"),
        (2, 1.0, None),
    ],
)  # fmt: skip
def test_what_learned_nothing_is_told(
    caplog: pytest.LogCaptureFixture, best: int | None, b: float, told: str | None
) -> None:
    kept = None if best is None else BestWeights(2.25, best, {})
    warn_of_little_learned(kept, tensors(b), 10)
    assert caplog.messages == ([] if told is None else [told])
