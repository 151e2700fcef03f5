"""Losses at labels only are the losses of the whole row; means and pairs are what a hand calculation gives."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from adapterkit.data.collate import PadCollator
from adapterkit.evaluation.loss import RowLoss, label_losses, mean_loss, row_losses
from adapterkit.evaluation.paired import paired_change


def rows():
    """Five rows of different lengths, longest first, labels in one or two stretches."""
    generator = torch.Generator().manual_seed(5)
    made = []
    for length, spans in ((30, [(4, 9), (20, 30)]), (12, [(6, 12)]), (25, [(1, 2)]), (7, [(3, 7)]), (18, [(9, 14)])):
        ids = torch.randint(3, 500, (length,), generator=generator).tolist()
        labels = [-100] * length
        for start, end in spans:
            labels[start:end] = ids[start:end]
        made.append({"input_ids": ids, "labels": labels})
    return made


def test_label_losses_are_the_full_cross_entropy_and_so_are_their_gradients(tiny_model):
    batch = PadCollator(2)(rows())
    logits = tiny_model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    targets = batch["labels"][:, 1:]
    full = cross_entropy(logits[:, :-1].flatten(0, 1), targets.flatten(), ignore_index=-100, reduction="none")
    losses, kept = label_losses(tiny_model, batch)
    assert losses.dtype == torch.float32
    assert kept.shape[1] < targets.shape[1]
    assert torch.equal(losses != 0, kept != -100)
    torch.testing.assert_close(losses[kept != -100], full.view(targets.shape)[targets != -100])

    weight = tiny_model.model.layers[0].self_attn.q_proj.weight
    (expected,) = torch.autograd.grad(full.sum(), weight)
    (found,) = torch.autograd.grad(losses.sum(), weight)
    torch.testing.assert_close(found, expected)


def test_row_losses_come_in_order_and_are_transformers_own(tiny_model):
    tiny_model.train()
    found = row_losses(tiny_model, rows(), PadCollator(2), batch_size=2)
    assert tiny_model.training
    assert [loss.tokens for loss in found] == [15, 6, 1, 4, 5]
    for row, loss in zip(rows(), found, strict=True):
        with torch.no_grad():
            expected = tiny_model(
                input_ids=torch.tensor([row["input_ids"]]), labels=torch.tensor([row["labels"]])
            ).loss.item()
        assert loss.mean == pytest.approx(expected, abs=1e-5)


def test_row_losses_run_without_dropout_and_put_the_mode_back_after_an_error(tiny_model):
    tiny_model.model.norm.register_forward_pre_hook(lambda module, _: seen.append(module.training))
    tiny_model.train()
    seen: list[bool] = []
    row_losses(tiny_model, rows(), PadCollator(2), batch_size=5)
    assert seen == [False]
    with pytest.raises(KeyError):
        row_losses(tiny_model, rows(), lambda batch: {}, batch_size=5)
    assert tiny_model.training


def test_the_mean_is_over_tokens_not_rows():
    assert mean_loss([RowLoss(10.0, 1), RowLoss(2.0, 3)]) == 3.0
    assert math.isnan(mean_loss([]))


def test_a_paired_change_by_hand():
    # Changes a row: -1, -2, -3; mean -2, deviation 1; t(2, 0.975) = 4.302652729911275.
    before = [RowLoss(4.0, 1), RowLoss(8.0, 2), RowLoss(20.0, 4)]
    after = [RowLoss(3.0, 1), RowLoss(4.0, 2), RowLoss(8.0, 4)]
    found = paired_change(before, after)
    half = 4.302652729911275 / math.sqrt(3)
    assert (found.change, found.rows, found.tokens) == (-2.0, 3, 7)
    assert (found.before, found.after) == (pytest.approx(32 / 7), pytest.approx(15 / 7))
    assert (found.ci95_low, found.ci95_high) == (pytest.approx(-2 - half), pytest.approx(-2 + half))


def test_equal_rows_change_by_nothing_at_all():
    same = [RowLoss(4.0, 1), RowLoss(8.0, 2)]
    found = paired_change(same, same)
    assert (found.change, found.ci95_low, found.ci95_high) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ([RowLoss(1, 1), RowLoss(1, 1)], [RowLoss(1, 1)], "same rows"),
        ([RowLoss(1, 1), RowLoss(1, 2)], [RowLoss(1, 2), RowLoss(1, 1)], "same rows"),
        ([RowLoss(1, 1)], [RowLoss(1, 1)], "at least two"),
    ],
)
def test_rows_that_do_not_pair_are_refused(before, after, message):
    with pytest.raises(ValueError, match=message):
        paired_change(before, after)
