"""Weights of rows in the loss: a weighted mean over the whole step, the same by the model and fused, and by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from training.test_fused import batch_of, model_of, stack_of

from adapterkit.data import EncodedRow, PadCollator, as_dataset
from adapterkit.digest import sha256_file
from adapterkit.evaluation.loss import label_losses
from adapterkit.training.fused.engine import FusedStack
from adapterkit.training.weighing import label_weight, weighed
from adapterkit.workflows.rows import read_rows
from adapterkit.workflows.train import train
from tests.training.conftest import WEIGHTS
from tests.workflows.tiny import Workshop


def by_hand(model: Any, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """The weighted sum and the sum of weights, token by token, from all logits."""
    total, weights = torch.zeros(()), torch.zeros(())
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits.float()
    for row in range(len(logits)):
        for place in range(1, logits.shape[1]):
            if (label := int(batch["labels"][row, place])) >= 0:
                total = total - batch["weights"][row] * logits[row, place - 1].log_softmax(-1)[label]
                weights = weights + batch["weights"][row]
    return total, weights


def test_a_step_of_two_batches_is_the_weighted_mean_of_all_its_tokens() -> None:
    stack = stack_of(model_of("Llama"))
    fused = FusedStack(stack)
    batches = [
        batch_of(9, 4, 7) | {"weights": torch.tensor([1.0, 0.25, 3.0])},
        batch_of(5, 8) | {"weights": torch.tensor([2.0, 10.0])},
    ]
    losses_of = {
        "model": lambda batch: weighed(label_losses(stack.model, batch)[0], batch).sum(),
        "fused": lambda batch: weighed(fused.label_losses(batch)[0], batch).sum(),
        "by hand": lambda batch: by_hand(stack.model, batch)[0],
    }
    weight = sum(float(by_hand(stack.model, batch)[1]) for batch in batches)
    assert weight == pytest.approx(float(sum(label_weight(batch) for batch in batches)))
    found = {}
    for name, loss_of in losses_of.items():
        stack.model.zero_grad()
        # Gradients add up over the batches, as they do in a step of several.
        losses = [loss_of(batch) / weight for batch in batches]
        for loss in losses:
            loss.backward()
        found[name] = [
            sum(losses).detach(),
            *(p.grad.clone() for p in stack.trainee_parameters() if p.grad is not None),
        ]
    for name in ("model", "fused"):
        for own, right in zip(found[name], found["by hand"], strict=True):
            torch.testing.assert_close(own, right, rtol=1e-4, atol=1e-6)


def test_without_weights_the_losses_are_the_very_tensor() -> None:
    batch, losses = batch_of(9, 4), torch.rand(2, 3)
    assert weighed(losses, batch) is losses
    assert label_weight(batch) == (batch["labels"][:, 1:] >= 0).sum()


def test_the_table_and_the_batch_have_weights_only_where_rows_differ() -> None:
    rows = [EncodedRow((5, 6), (-100, 6)), EncodedRow((5, 6), (-100, 6), 0.5)]
    assert as_dataset(rows[:1]).column_names == ["input_ids", "labels", "length", "row"]
    table = as_dataset(rows)
    assert table.column_names == ["input_ids", "labels", "length", "row", "weight"]
    batch = PadCollator(0)([table[0], table[1]])
    assert batch["weights"].tolist() == [1.0, 0.5]
    assert "weights" not in PadCollator(0)(list(as_dataset(rows[:1])))


def write(path: Path, weights: list[float | None]) -> Path:
    rows = [
        {"input": f"Say {word}.", "output": f"The {word}, {word * place}!"}
        | ({} if weight is None else {"weight": weight})
        for place, (word, weight) in enumerate(
            zip(("red fox", "lazy dog", "brown nation", "new people"), weights, strict=True)
        )
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.long
@pytest.mark.parametrize("gradient_accumulation_steps", [1, 2])
def test_trainings_hang_on_the_ratio_of_weights_alone(
    tiny_base_dir: Path, tmp_path: Path, gradient_accumulation_steps: int
) -> None:
    shop = Workshop(tiny_base_dir, tmp_path)
    digests, losses = {}, {}
    for name, weights in {
        "chat": None, "plain": [None] * 4, "ones": [1, 1.0, 1, 1], "other": [4, 1, 1, 1], "doubled": [8, 2, 2, 2],
    }.items():  # fmt: skip
        data = (
            {} if weights is None else {"reader": "examples", "train": str(write(tmp_path / f"{name}.jsonl", weights))}
        )
        config = shop.config(name, gradient_accumulation_steps=gradient_accumulation_steps, test=None, **data)
        outcome = train(config)
        digests[name] = sha256_file(outcome.artifact.path / WEIGHTS)
        losses[name] = outcome.artifact.manifest.metrics["train_loss"]
    assert digests["chat"] == digests["plain"] == digests["ones"] != digests["other"]
    assert digests["doubled"] == digests["other"]
    assert losses["other"] != losses["ones"]


def test_rows_of_weight_one_have_the_digest_of_rows_without(tiny_base_dir: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    shop, tokenizer = Workshop(tiny_base_dir, tmp_path), AutoTokenizer.from_pretrained(tiny_base_dir)
    read = []
    for number, weights in enumerate(([None] * 4, [1] * 4, [1, 1, 1, 2])):
        path = write(tmp_path / f"{number}.jsonl", weights)
        read.append(read_rows(shop.config("x", reader="examples", test=None, train=str(path)).data, None, tokenizer))
    assert read[0].digest == read[1].digest != read[2].digest
    assert read[0].record.digest == read[1].record.digest != read[2].record.digest
