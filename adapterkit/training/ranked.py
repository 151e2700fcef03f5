"""The trainer of several ranks: each computes gradients on its rows of a batch, and all take the step of their sum.

The loss of a batch is divided by the label tokens of all ranks, so the sum of the ranks' gradients is the gradient that
one process computes on the whole batch, but for the order in which floats are added. The model is not wrapped: losses
are not computed by its `forward`, by which DistributedDataParallel would notice them, and it averages besides.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from adapterkit.evaluation.loss import RowLoss
from adapterkit.ranks import Ranks, here
from adapterkit.stack.agreement import trainee_digest
from adapterkit.training.checkpoint import rng_file
from adapterkit.training.interruption import Stopping
from adapterkit.training.shares import ShareOfBatches, or_empty, shared_row_losses
from adapterkit.training.trainer import AdapterTrainer

# Far apart, so that no two ranks draw the same dropout.
_SEEDS_APART = 1_000_003


class RankedTrainer(AdapterTrainer):
    """AdapterTrainer on one of several ranks; it takes the same arguments, and `train` what one process would.

    Attributes:
        tokens_seen: tokens trained on by all ranks.
    """

    def __init__(self, *arguments: Any, stopping: Stopping, **settings: Any) -> None:
        """Wire up this rank.

        Args:
            arguments: as AdapterTrainer.
            stopping: hears signals on this rank; is told when any rank heard one.
            settings: as AdapterTrainer; the batch sizes are those of all ranks together.
        """
        self._ranks: Ranks = here()
        self._stopping = stopping
        self._rng_states: list[bytes] = []
        self._trained: list[torch.nn.Parameter] = []
        self._loss_of_step, self._tokens_before = 0.0, 0
        super().__init__(*arguments, **settings)
        if not self._ranks.leads:
            torch.manual_seed(self.args.seed + self._ranks.number * _SEEDS_APART)

    def get_train_dataloader(self) -> DataLoader[Any]:
        """This rank's rows of every batch."""
        batches = ShareOfBatches(self._get_train_sampler(), self.args.train_batch_size, self._ranks)
        rows: Any = self.train_dataset
        loader = DataLoader(
            rows,
            batch_sampler=batches,
            collate_fn=or_empty(self._collate_rows),
            pin_memory=self.args.dataloader_pin_memory,
        )
        prepared: DataLoader[Any] = self.accelerator.prepare(loader)
        return prepared

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> torch.Tensor:
        """Label tokens of the whole step on all ranks, each counted by the weight of its row."""
        own = super()._get_num_items_in_batch(batch_samples, device)
        if "weight" in getattr(self.train_dataset, "column_names", ()):
            weight = torch.tensor(float(own or 0), dtype=torch.float64)
            if not self._ranks.alone:
                self._ranks.add_up("the label tokens of a step", weight)
            return weight.to(device, torch.float32)
        return torch.tensor(self._ranks.total("the label tokens of a step", int(own or 0)), device=device)

    def compute_loss(
        self,
        model: Any,
        inputs: Mapping[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """The share that this rank's rows have in the loss of the step; zero for a batch without rows.

        Raises:
            TrainingError: the loss is not finite.
        """
        if len(inputs["rows"]):
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        self._batches.append([])
        nothing = self._pass_without_rows(inputs)
        return (nothing, {}) if return_outputs else nothing

    def _pass_without_rows(self, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """A loss of zero with gradients of zero, which draws no dropout."""
        if not self._ranks.sharded:
            return self.stack.trainee_parameters()[0].flatten()[:0].sum()
        # The others wait for this rank's part of every layer.
        with torch.random.fork_rng():
            return self._losses(inputs)[0].sum()

    def training_step(
        self, model: Any, inputs: dict[str, Any], num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        """Forward and backward; after the last batch of a step, the gradients of all ranks.

        Returns:
            The loss of the step on all ranks after its last batch, and zero before.
        """
        with self._ranks.step():
            loss = super().training_step(model, inputs, num_items_in_batch)
        self._loss_of_step += loss.item()
        whole = self._add_up() if self.accelerator.sync_gradients else 0.0
        return torch.full_like(loss, whole)

    def _add_up(self) -> float:
        """Replace every gradient by its sum over all ranks, in one exchange with what else must be known now.

        Returns:
            The loss of the step.

        Raises:
            TrainingError: a gradient of this rank is not finite.
        """
        self._trained = self._trained or self.stack.trainee_parameters()
        grads = [torch.zeros_like(each) if each.grad is None else each.grad for each in self._trained]
        told = [self._loss_of_step, float(self.tokens_seen - self._tokens_before), float(self._stopping.heard)]
        flat = torch.cat([*(grad.flatten().float() for grad in grads), torch.tensor(told, device=grads[0].device)])
        if not bool((finite := flat.isfinite()).all()) and not self._overflow_may_be_skipped:
            # Only this rank knows in which rows to look.
            raise self._not_finite("The gradient", flat[~finite][0].item(), self._batches)
        self._ranks.add_up("the gradients of a step", flat)
        *pieces, rest = flat.split([*(grad.numel() for grad in grads), len(told)])
        for parameter, piece in zip(self._trained, pieces, strict=True):
            parameter.grad = piece.view_as(parameter).to(parameter.dtype)
        loss, tokens, heard = rest.tolist()
        self._loss_of_step = 0.0
        self.tokens_seen = self._tokens_before = self._tokens_before + round(tokens)
        self._stopping.asked = heard > 0
        return float(loss)

    @property
    def _overflow_may_be_skipped(self) -> bool:
        """Whether what is infinite is a scaled gradient: every rank sees it in the sum, and skips the step."""
        return self.scaling is not None and self.scaling.overflow_is_normal

    def _losses_of(self, rows: Sequence[Mapping[str, Any]]) -> list[RowLoss]:
        size = self.args.per_device_eval_batch_size
        return shared_row_losses(self._ranks, self.stack.model, rows, self._collate_rows, batch_size=size)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Write one checkpoint, on rank 0, once every rank has proven its own base and holds the same weights.

        Raises:
            TrainingError, FrozenChangedError, TrainableSetError: as AdapterTrainer's.
            RanksPartedError: a rank holds other weights.
        """
        self._ranks.require_same(f"the weights of step {self.state.global_step}", trainee_digest(self.stack))
        self._rng_states = self._ranks.gather("the states of random numbers", self._own_rng_state())
        if self._ranks.leads:
            super()._save_checkpoint(model, trial)
        else:
            self._prove()
        self._ranks.meet("a checkpoint on the disk")

    def _prove(self) -> None:
        """Look at what is frozen on this rank, and wait until all have; the checkpoint is put in its place after it."""
        super()._prove()
        self._ranks.meet("a checkpoint that all have proven")

    def _save_rng_state(self, output_dir: str) -> None:
        """Every rank draws its own dropout, and goes on where it was."""
        for number, state in enumerate(self._rng_states):
            (Path(output_dir) / rng_file(number)).write_bytes(state)

    def _own_rng_state(self) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            super()._save_rng_state(folder)
            return (Path(folder) / rng_file(None)).read_bytes()

    def _load_rng_state(self, checkpoint: str | None) -> None:
        """Take this rank's own state."""
        if checkpoint is None:
            return
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(Path(checkpoint) / rng_file(self._ranks.number), Path(folder) / rng_file(None))
            super()._load_rng_state(folder)
