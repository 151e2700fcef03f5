"""From our trainer settings to transformers' TrainingArguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments

from adapterkit.config.schema import TrainerConfig


def training_arguments(
    config: TrainerConfig,
    *,
    directory: Path,
    seed: int,
    device: torch.device,
    validate: bool,
) -> TrainingArguments:
    """Build the arguments of one training.

    Args:
        config: the trainer settings.
        directory: the run directory; checkpoints and TensorBoard files go below it.
        seed: seeds data order, dropout and everything else.
        device: where the base already lives.
        validate: whether there are validation rows.
    """
    evaluation = _strategy("eval", config.eval_steps) if validate else {"eval_strategy": "no"}
    best = config.keep_best and validate
    return TrainingArguments(
        output_dir=str(directory),
        num_train_epochs=config.epochs,
        max_steps=config.max_steps,
        learning_rate=config.learning_rate,
        per_device_train_batch_size=config.batch_size,
        per_device_eval_batch_size=config.batch_size,
        gradient_accumulation_steps=config.gradient_accumulation_steps,
        lr_scheduler_type=config.lr_scheduler,
        warmup_steps=config.warmup_ratio,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        logging_steps=config.logging_steps,
        activation_checkpointing=config.gradient_checkpointing,
        remove_unused_columns=False,
        logging_nan_inf_filter=False,
        seed=seed,
        use_cpu=device.type == "cpu",
        dataloader_pin_memory=device.type != "cpu",
        report_to=[],
        save_total_limit=config.keep_checkpoints,
        load_best_model_at_end=best,
        metric_for_best_model="eval_loss" if best else None,
        greater_is_better=False if best else None,
        **evaluation,
        **_strategy("save", config.save_steps),
    )


def _strategy(what: str, steps: int) -> dict[str, Any]:
    """A Trainer strategy: every so many steps, or once an epoch when steps is 0."""
    return {f"{what}_strategy": "steps", f"{what}_steps": steps} if steps > 0 else {f"{what}_strategy": "epoch"}
