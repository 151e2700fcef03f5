"""AdapterTrainer: transformers' Trainer, with each override mending one thing that breaks for a stack of adapters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from transformers import PreTrainedTokenizerBase, Trainer, TrainingArguments

from adapterkit.errors import FrozenChangedError, RegistryError, StackError, TrainableSetError, TrainingError
from adapterkit.evaluation.loss import RowLoss, label_losses, mean_loss, row_losses
from adapterkit.ranks import here
from adapterkit.stack.adapter_stack import AdapterStack
from adapterkit.stack.freeze_guard import FreezeGuard
from adapterkit.stores import staging_directory, told_by_the_disk
from adapterkit.training.batching import LengthGroupedSampler
from adapterkit.training.best import BestWeights
from adapterkit.training.checkpoint import PREFIX, keep_newest, seal
from adapterkit.training.finite import not_finite, require_finite_losses
from adapterkit.training.optimizers import clip_gradients, use_loraplus
from adapterkit.training.pace import Pace
from adapterkit.training.scaling import LossScaling
from adapterkit.training.schedules import exponential
from adapterkit.training.weighing import label_weight, weighed

Losses = Callable[[Mapping[str, torch.Tensor]], tuple[torch.Tensor, torch.Tensor]]
Collate = Callable[[list[Any]], dict[str, Any]]


class AdapterTrainer(Trainer):
    """Trains the trainee of a stack, and touches nothing else.

    Args:
        stack: a stack with a trainee.
        guard: of that stack.
        args: transformers' training arguments.
        train_rows: table of `input_ids`, `labels` and `length`, and perhaps of `weight`.
        validation_rows: rows for evaluation while training; empty for none.
        tokenizer: for the names of model inputs.
        collate: makes one padded batch of several rows.
        run_key: of the training; its checkpoints bear it.
        where: what numbers depend on besides the config; its checkpoints bear it, too.
        losses: from a batch to losses and labels, as `label_losses` gives them; null: by the model itself.
        keep_best: keep the weights with the lowest validation loss, for `restore_best`.
        exponential_rate: let the learning rate fall exponentially, whatever `args` say of its schedule.
        loraplus_lr_ratio: let B learn at so many times the rate of A; null: at the same.

    Attributes:
        tokens_seen: tokens trained on by this process, padding not counted.
        best: the best weights so far; null before the first evaluation, and without `keep_best`.
        scaling: of the loss, where the base computes in float16; else null.
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
        run_key: str,
        where: Mapping[str, Any],
        losses: Losses | None = None,
        keep_best: bool = False,
        exponential_rate: bool = False,
        loraplus_lr_ratio: float | None = None,
        callbacks: Sequence[Any] = (),
    ) -> None:
        """Wire the stack's model into the Trainer."""
        self.stack, self._guard = stack, guard
        self._collate_rows, self._validation_rows = collate, validation_rows
        self._run_key, self._where, self._keep_best, self._staged = run_key, where, keep_best, ""
        self._exponential, self._loraplus = exponential_rate, loraplus_lr_ratio
        self._losses = losses or partial(label_losses, stack.model)
        self._batches: list[list[int]] = []
        self.tokens_seen, self._pace = 0, Pace()
        self.best: BestWeights | None = None
        super().__init__(
            model=stack.model, args=args, data_collator=collate, train_dataset=train_rows,
            eval_dataset=list(validation_rows) or None, processing_class=tokenizer, callbacks=[self._pace, *callbacks],
        )  # fmt: skip
        # compute_loss divides by the label tokens of the whole accumulated batch, so nothing may divide again.
        self.model_accepts_loss_kwargs = True
        self.scaling = LossScaling.of(stack.base)
        # Scaling alone: with fp16=True LoRA itself would compute in float16, too.
        self.accelerator.scaler = self.scaling.scaler if self.scaling else None

    def compute_loss(
        self,
        model: Any,
        inputs: Mapping[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Weighted mean of nats a label token, of the whole step; stops at NaN, which the Trainer would filter.

        Raises:
            TrainingError: the loss is not finite.
        """
        self._batches.append(inputs["rows"].tolist())
        losses, _ = self._losses(inputs)
        if not losses.requires_grad:
            # The backward pass would fail without a word of why: an adapter was merged or switched off.
            self._guard.require_in_place()
        self.tokens_seen += int(inputs["attention_mask"].sum())
        tokens = num_items_in_batch if num_items_in_batch is not None else label_weight(inputs)
        loss = weighed(losses, inputs).sum() / tokens
        if not torch.isfinite(loss):
            raise self._not_finite("The loss" if tokens else "The loss of no label", loss.item(), self._batches[-1:])
        return (loss, {}) if return_outputs else loss

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> Any:
        """What the losses of a step are divided by: its label tokens, each counted by the weight of its row."""
        if any("weights" in batch for batch in batch_samples):
            return torch.tensor(sum(float(label_weight(batch)) for batch in batch_samples), device=device)
        return super()._get_num_items_in_batch(batch_samples, device)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log a training loss together with the pace since the one before."""
        super().log(self._pace.added_to(logs, self.tokens_seen), start_time)

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: list[str] | None = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """Mean validation loss a label token; the Trainer's own loop averages batches, whatever they hold.

        Raises:
            TrainingError: the loss of a row is not finite.
        """
        rows = self._validation_rows if eval_dataset is None else eval_dataset
        losses = self._losses_of(rows)
        require_finite_losses(losses, "validation", self.state.global_step)
        metrics = {f"{metric_key_prefix}_loss": mean_loss(losses)}
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _losses_of(self, rows: Sequence[Mapping[str, Any]]) -> list[RowLoss]:
        return row_losses(self.stack.model, rows, self._collate_rows, batch_size=self.args.per_device_eval_batch_size)

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
        if self._exponential:
            held = cast(torch.optim.Optimizer, self.optimizer if optimizer is None else optimizer)
            self.lr_scheduler = exponential(held, warmup=int(self.args.warmup_steps), steps=num_training_steps)
            self._created_lr_scheduler = True
            return self.lr_scheduler
        return super().create_scheduler(num_training_steps, optimizer)

    def _run_epoch(self, *arguments: Any, **settings: Any) -> None:
        """Take no step more once all are taken, or after an early stop; a resumed Trainer would take one."""
        if self.state.global_step >= self.state.max_steps or self.control.should_training_stop:
            self.control.should_training_stop = True
            return
        super()._run_epoch(*arguments, **settings)  # type: ignore[no-untyped-call]

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Hold the optimizer to exactly the trainee's parameters, now and before each of its steps.

        Raises:
            TrainableSetError: something else requires grad, or the optimizer holds other parameters than the trainee's.
        """
        self.stack.require_trainable_set()
        if self._loraplus is not None:
            use_loraplus(self, self.stack.model, self._loraplus)
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
        self._prove()
        self.stack.save_trainee(folder := Path(output_dir or str(self.args.output_dir)))
        for kept in (self.best, self.scaling):
            if kept is not None:
                kept.write(folder)

    def _prove(self) -> None:
        # accelerate wraps the one that was made here.
        self._guard.require_stepped_by(getattr(self.optimizer, "optimizer", self.optimizer))
        self._guard.before_write()

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Build a checkpoint aside and rename it into place; the Trainer writes in place, and rotates by the clock.

        Raises:
            TrainingError: the disk refuses; the checkpoints before this one stand.
            FrozenChangedError, TrainableSetError: as `_save`.
        """
        run, step = Path(str(self.args.output_dir)), self.state.global_step
        try:
            with staging_directory(run) as staged:
                self._staged = str(staged)
                super()._save_checkpoint(model, trial)
                made = staged / f"{PREFIX}{step}"
                seal(made, run / made.name, run_key=self._run_key, step=step, where=self._where)
        except (TrainableSetError, FrozenChangedError):
            raise
        except (OSError, RuntimeError, RegistryError, StackError) as error:
            raise TrainingError(
                f"The checkpoint of step {step} cannot be written: {told_by_the_disk(error)}\nTraining stopped. With "
                "room on the disk, the same command with resume=auto goes on from the last checkpoint.",
                step=step,
            ) from error
        finally:
            self._staged = ""
        keep_newest(run, self.args.save_total_limit or 1)

    def _get_output_dir(self, trial: Any) -> str:
        """Where the Trainer writes a checkpoint: aside."""
        return self._staged or super()._get_output_dir(trial)

    def _determine_best_metric(self, metrics: Mapping[str, float], trial: Any) -> bool:
        """Keep the best weights in memory; the Trainer keeps the name of a folder, which may be gone by then."""
        loss = metrics["eval_loss"]
        if not self._keep_best or (self.best is not None and not loss < self.best.loss):
            return False
        self._guard.require_in_place()
        self.best = BestWeights.copied(loss, self.state.global_step, self.stack.trainee_state())
        return True

    def restore_best(self) -> None:
        """Put the best weights back, where there are any; the Trainer finds nothing for a named adapter."""
        if self.best is not None:
            self.stack.put_trainee(self.best.tensors)

    def _clip_grad_norm(self, model: Any) -> Any:
        """Clip the gradients themselves, not their scaled values, and of no parameter that has none."""
        self._unscale()
        if here().sharded:
            return super()._clip_grad_norm(model)  # type: ignore[no-untyped-call]
        return clip_gradients(cast(torch.optim.Optimizer, self.optimizer), self.args.max_grad_norm)

    def floating_point_ops(self, inputs: Any) -> int:
        """Not counted: the formula is that of a full training, and it walks through all modules at every step."""
        return 0

    def _unscale(self) -> None:
        if self.scaling is not None:
            self.scaling.unscale(cast(Any, self.optimizer).optimizer)

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        """The norm of all gradients; stops where one is NaN or infinite, before the optimizer's step.

        Null where the loss was scaled too much, and the step will be skipped.

        Raises:
            TrainingError: a gradient is not finite, and no scaling is the reason.
        """
        if grad_norm is None:
            self._unscale()
        norm = super()._get_grad_norm(model, grad_norm)  # type: ignore[no-untyped-call]
        if not math.isfinite(norm):
            if self.scaling is None or not self.scaling.may_skip():
                raise self._not_finite("The gradient", norm, self._batches)
            norm = None
        self._batches.clear()
        return norm

    def _not_finite(self, what: str, value: Any, batches: Sequence[Sequence[int]]) -> TrainingError:
        advice = f" {self.scaling.ADVICE}" if self.scaling else ""
        return not_finite(what, float(value), self.state.global_step + 1, len(self._batches), batches, advice)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Load the trainee alone; the Trainer would load, activate and train the first member: the frozen parent."""
        self.stack.load_trainee(Path(resume_from_checkpoint))
        self.best = BestWeights.read(Path(resume_from_checkpoint))
        if self.scaling is not None:
            self.scaling.read(Path(resume_from_checkpoint))
