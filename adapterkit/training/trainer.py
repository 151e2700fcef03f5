"""AdapterTrainer: transformers' Trainer, with each override mending one thing that breaks for a stack of adapters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase, Trainer, TrainingArguments

from adapterkit.errors import TrainingError
from adapterkit.evaluation.loss import label_losses, mean_loss, row_losses
from adapterkit.stack.adapter_stack import AdapterStack
from adapterkit.stack.freeze_guard import FreezeGuard
from adapterkit.training.batching import LengthGroupedSampler

Collate = Callable[[list[Any]], dict[str, Any]]


class AdapterTrainer(Trainer):
    """Trains the trainee of a stack, and touches nothing else.

    Args:
        stack: a stack with a trainee.
        guard: of that stack.
        args: transformers' training arguments.
        train_rows: dataset with `input_ids`, `labels` and `length`.
        validation_rows: rows for evaluation while training; empty for none.
        tokenizer: for the names of model inputs.
        collate: makes one padded batch of several rows.

    Attributes:
        tokens_seen: tokens trained on by this process, padding not counted.
    """

    def __init__(
        self,
        stack: AdapterStack,
        guard: FreezeGuard,
        args: TrainingArguments,
        *,
        train_rows: Any,
        validation_rows: Sequence[Mapping[str, Any]],
        tokenizer: PreTrainedTokenizerBase,
        collate: Collate,
        callbacks: Sequence[Any] = (),
    ) -> None:
        """Wire the stack's model into the Trainer."""
        self.stack, self._guard = stack, guard
        self._collate_rows = collate
        self._validation_rows = validation_rows
        self.tokens_seen = 0
        super().__init__(
            model=stack.model,
            args=args,
            data_collator=collate,
            train_dataset=train_rows,
            eval_dataset=list(validation_rows) or None,
            processing_class=tokenizer,
            callbacks=list(callbacks),
        )
        # compute_loss divides by the label tokens of the whole accumulated batch, so nothing may divide again.
        self.model_accepts_loss_kwargs = True

    def compute_loss(
        self,
        model: Any,
        inputs: Mapping[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Mean nats a label token, with logits only where a label is; stops at NaN, which the Trainer would filter.

        Raises:
            TrainingError: the loss is not finite.
        """
        losses, targets = label_losses(model, inputs)
        if not losses.requires_grad:
            # The backward pass would fail without a word of why: an adapter was merged or switched off.
            self._guard.require_in_place()
        self.tokens_seen += int(inputs["attention_mask"].sum())
        tokens = num_items_in_batch if num_items_in_batch is not None else (targets >= 0).sum()
        loss = losses.sum() / tokens
        if not torch.isfinite(loss):
            raise TrainingError(
                f"The loss became {loss.item()} at step {self.state.global_step + 1}. Nothing was published. Lower "
                "trainer.learning_rate, or look for broken rows in the data.",
                step=self.state.global_step + 1,
            )
        return (loss, {}) if return_outputs else loss

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: list[str] | None = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """Mean validation loss a label token; the Trainer's own loop averages batches, whatever they hold."""
        rows = self._validation_rows if eval_dataset is None else eval_dataset
        losses = row_losses(self.stack.model, rows, self._collate_rows, batch_size=self.args.per_device_eval_batch_size)
        metrics = {f"{metric_key_prefix}_loss": mean_loss(losses)}
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _get_train_sampler(self, train_dataset: Any = None) -> LengthGroupedSampler:
        """Batches of like length, in an order that seed and epoch alone decide."""
        rows: Any = self.train_dataset if train_dataset is None else train_dataset
        return LengthGroupedSampler(rows["length"], self.args.train_batch_size, seed=self.args.seed)

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> torch.optim.lr_scheduler.LRScheduler:
        """Warm up for a share of the steps, but never for all: at the last one something must be learnt."""
        share = self.args.warmup_steps
        if 0 < share < 1:
            self.args.warmup_steps = min(math.ceil(num_training_steps * share), num_training_steps - 1)
        return super().create_scheduler(num_training_steps, optimizer)

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Hold the optimizer to exactly the trainee's parameters, now and before each of its steps.

        Raises:
            TrainableSetError: something else requires grad, or the optimizer holds other parameters than the trainee's.
        """
        self.stack.require_trainable_set()
        optimizer: torch.optim.Optimizer = (
            super().create_optimizer(model) if model is not None else super().create_optimizer()
        )
        self._guard.watch(optimizer)
        return optimizer

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        """Save the trainee alone, proven; the Trainer would write every member, each in its own sub-folder.

        Raises:
            FrozenChangedError: anything frozen moved; nothing is written.
            TrainableSetError: steps were taken, or would be, that the guard does not see.
        """
        # accelerate wraps the one that was made here.
        self._guard.require_stepped_by(getattr(self.optimizer, "optimizer", self.optimizer))
        self._guard.before_write()
        self.stack.save_trainee(Path(output_dir or str(self.args.output_dir)))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Load the trainee alone; the Trainer would load, activate and train the first member: the frozen parent."""
        self.stack.load_trainee(Path(resume_from_checkpoint))

    def _load_best_model(self) -> None:
        """Load the best trainee; the Trainer finds nothing for a named adapter and keeps the last weights."""
        if self.state.best_model_checkpoint is None:
            raise TrainingError("No best checkpoint was recorded; check that evaluation and saving happen together.")
        self.stack.load_trainee(Path(self.state.best_model_checkpoint))
