"""From our trainer settings to transformers' TrainingArguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments

from adapterkit.config.checks import EXPONENTIAL
from adapterkit.config.choices import OPTIMIZERS
from adapterkit.config.schema import TrainerConfig
from adapterkit.training.estimate.work import exact_steps


def training_arguments(
    config: TrainerConfig,
    *,
    directory: Path,
    seed: int,
    device: torch.device,
    steps_an_epoch: int,
    validate: bool,
) -> TrainingArguments:
    """Build the arguments of one training.

    Args:
        config: the trainer settings.
        directory: the run directory; checkpoints and TensorBoard files go below it.
        seed: seeds data order, dropout and everything else.
        device: where the base already lives.
        steps_an_epoch: optimizer steps. "Once an epoch" is said in steps: the Trainer looks at the end of an epoch
            after it has saved its last step, and one that is resumed from there would not look at all.
        validate: whether there are validation rows.
    """
    more: dict[str, Any] = (
        {"eval_strategy": "steps", "eval_steps": config.eval_steps or steps_an_epoch} if validate else {}
    )
    if (optimizer := OPTIMIZERS[config.optimizer]) is not None:
        more["optim"] = optimizer
    arguments = TrainingArguments(
        output_dir=str(directory),
        num_train_epochs=config.epochs,
        max_steps=exact_steps(config, steps_an_epoch),
        learning_rate=config.learning_rate,
        per_device_train_batch_size=config.batch_size,
        per_device_eval_batch_size=config.batch_size,
        gradient_accumulation_steps=config.gradient_accumulation_steps,
        # The exponential one is not transformers'; see `AdapterTrainer.create_scheduler`.
        lr_scheduler_type="constant" if config.lr_scheduler == EXPONENTIAL else config.lr_scheduler,
        lr_scheduler_kwargs=config.lr_scheduler_kwargs,
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
        save_strategy="steps",
        save_steps=config.save_steps or steps_an_epoch,
        **more,
    )
    # Taken from $ACCELERATE_MIXED_PRECISION, it would compute the model's own forward pass in another dtype than the
    # base is held in, and nothing would say so.
    arguments.mixed_precision = "no"
    return arguments
