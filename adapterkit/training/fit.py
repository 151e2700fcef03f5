"""Run the Trainer over a stack's trainee and say what came of it."""

from __future__ import annotations

import logging
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import TrainerCallback, TrainingArguments
from transformers.trainer_utils import TrainOutput

from adapterkit.base.device import device_name
from adapterkit.base.load import Base
from adapterkit.base.quantization import torch_dtype
from adapterkit.config.schedules import EXPONENTIAL
from adapterkit.config.schema import TrainConfig, TrainerConfig
from adapterkit.data.collate import PadCollator
from adapterkit.data.encode import as_dataset
from adapterkit.data.template import EncodedRow
from adapterkit.ranks import here
from adapterkit.stack.adapter_stack import AdapterStack
from adapterkit.stack.freeze_guard import FreezeGuard
from adapterkit.stack.sharding import shard_base
from adapterkit.training.arguments import training_arguments
from adapterkit.training.best import warn_of_little_learned, warn_of_no_gradient
from adapterkit.training.callbacks import (
    EarlyStopping,
    HistoryCallback,
    LastLoss,
    ProgressCallback,
    tensorboard_callback,
)
from adapterkit.training.checkpoint import PREFIX, require_ranks, warn_of_other_environment
from adapterkit.training.dropout import use_packed_dropout
from adapterkit.training.estimate.work import steps_an_epoch
from adapterkit.training.finite import require_finite_weights
from adapterkit.training.freed import ReleaseFreed
from adapterkit.training.fused.engine import FusedStack
from adapterkit.training.fused.reasons import why_not_asked, why_not_fused
from adapterkit.training.interruption import Stopping, TrainingInterrupted
from adapterkit.training.ranked import RankedTrainer
from adapterkit.training.trainer import AdapterTrainer

_log = logging.getLogger(__name__)

HISTORY_FILE = "metrics_history.jsonl"
_MODEL = "model"
_VERSIONED = ("adapterkit", "torch", "transformers", "peft", "bitsandbytes", "accelerate", "safetensors", "numba")


@dataclass(frozen=True)
class Fit:
    """What one training came to.

    Attributes:
        steps: optimizer steps taken.
        metrics: summary numbers: losses in nats a token; seconds of this process, and tokens a second of all ranks.
        history: everything that was logged, in order.
        environment: versions, seed, threads, device, and what computed the steps.
    """

    steps: int
    metrics: Mapping[str, float]
    history: Sequence[Mapping[str, Any]]
    environment: Mapping[str, Any]


def fit(
    stack: AdapterStack,
    config: TrainConfig,
    train: Sequence[EncodedRow],
    validation: Sequence[EncodedRow],
    *,
    guard: FreezeGuard,
    run: Path,
    run_key: str,
    resume: Path | None,
    watchers: Sequence[TrainerCallback] = (),
) -> Fit:
    """Train the stack's trainee; its weights end as values that `adapter.dtype` holds exactly.

    Args:
        stack: frozen members and a trainee.
        config: the training.
        train: rows to learn from.
        validation: rows to evaluate on while training; empty for none.
        guard: looks before every step and before every checkpoint.
        run: the run directory.
        run_key: what its checkpoints are of.
        resume: a checkpoint of that run key to go on from; it has been verified.
        watchers: see every metric that is logged.

    Raises:
        TrainingError: the loss, or a gradient, became NaN or infinite; or a checkpoint could not be written.
        TrainingInterrupted: SIGTERM or Ctrl-C came, and a checkpoint was written.
        TrainableSetError: anything but the trainee would have been trained.
        FrozenChangedError: the base or a frozen member moved, or modules were exchanged.
    """
    use_packed_dropout(stack.model, stack.trainee.peft_name)
    guard.require_alike(here())
    shard_base(here(), stack)
    stopping, fused = Stopping(alone=here().alone), _fused(stack, config.trainer)
    where = environment(config.seed, stack.base, fused.engine if fused else _MODEL)
    if resume is not None:
        require_ranks(resume, here().count)
        warn_of_other_environment(resume, where)
    trainer = (AdapterTrainer if here().alone else partial(RankedTrainer, stopping=stopping))(
        stack,
        guard,
        _arguments(stack, config, run, rows=len(train), validate=bool(validation)),
        train_rows=as_dataset(train),
        validation_rows=list(as_dataset(validation)),
        tokenizer=stack.base.tokenizer,
        collate=PadCollator(stack.base.tokenizer.pad_token_id),
        run_key=run_key,
        where=where,
        losses=fused.label_losses if fused else None,
        keep_best=config.trainer.keep_best,
        exponential_rate=config.trainer.lr_scheduler == EXPONENTIAL,
        loraplus_lr_ratio=config.trainer.loraplus_lr_ratio,
        callbacks=[*_watching(config, run), ReleaseFreed(fused.rest if fused else None), *watchers, stopping],
    )
    output = _run(trainer, stopping, resume)
    # Whatever is measured from here on describes what is published.
    stack.round_trainee(torch_dtype(config.adapter.dtype))
    history = [dict(entry) for entry in trainer.state.log_history]
    return Fit(trainer.state.global_step, _metrics(trainer, output, history), history, where)


def _arguments(stack: AdapterStack, config: TrainConfig, run: Path, *, rows: int, validate: bool) -> TrainingArguments:
    return training_arguments(
        config.trainer,
        directory=run,
        seed=config.seed,
        device=stack.base.device,
        steps_an_epoch=steps_an_epoch(config.trainer, rows),
        validate=validate,
    )


def _fused(stack: AdapterStack, config: TrainerConfig) -> FusedStack | None:
    """The fused forward pass, or null where the model's own has to do; said once, before the first step."""
    why_not = why_not_asked(config, sharded=here().sharded) or why_not_fused(stack)
    if why_not is not None:
        _log.info("Engine: %s, for the fused forward pass cannot be taken: %s", _MODEL, why_not)
        return None
    fused = FusedStack(stack)
    _log.info("Engine: %s", fused.engine)
    return fused


def _watching(config: TrainConfig, run: Path) -> list[TrainerCallback]:
    watching: list[TrainerCallback] = [LastLoss()]
    if here().leads:
        watching += [HistoryCallback(run / HISTORY_FILE), ProgressCallback()]
    if config.trainer.early_stopping_patience is not None:
        watching.append(EarlyStopping(config.trainer.early_stopping_patience))
    if config.tracking.tensorboard and here().leads:
        watching.append(tensorboard_callback(run / "tensorboard"))
    return watching


def _run(trainer: AdapterTrainer, stopping: Stopping, resume: Path | None) -> TrainOutput:
    """Train to the end, or until somebody asks to stop; the weights that stay are finite, and the best if asked for."""
    for theirs in (transformers.ProgressCallback, transformers.PrinterCallback):
        trainer.remove_callback(theirs)
    with stopping.listening():
        try:
            output = trainer.train(resume_from_checkpoint=str(resume) if resume else None)
        finally:
            _end_checkpointing(trainer)
    if stopping.asked:
        step = trainer.state.global_step
        raise TrainingInterrupted(step, Path(str(trainer.args.output_dir)) / f"{PREFIX}{step}")
    if trainer.scaling is not None:
        trainer.scaling.require_steps(trainer.state.global_step)
    trainer.restore_best()
    require_finite_weights(trainer.stack.trainee_parameters(), trainer.state.global_step)
    if here().leads:
        warn_of_little_learned(trainer.best, trainer.stack.trainee_state(), trainer.state.global_step)
        warn_of_no_gradient(trainer.state.log_history)
    return output


def _end_checkpointing(trainer: AdapterTrainer) -> None:
    """Take back what the Trainer leaves on the base, which the next training of this process may share."""
    if trainer.args.activation_checkpointing:
        model: Any = trainer.stack.model.get_base_model()
        model.activation_checkpointing_disable()
        # Its own disabling keeps this hook, unless transformers itself loaded the adapter.
        model.disable_input_require_grads()


def _metrics(trainer: AdapterTrainer, output: TrainOutput, history: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    seconds = output.metrics["train_runtime"]
    metrics = {
        "train_loss": _mean_logged_loss(history, output.training_loss),
        "seconds": seconds,
        "steps": float(trainer.state.global_step),
        "trainable_parameters": float(sum(p.numel() for p in trainer.stack.trainee_parameters())),
        "tokens_per_second": trainer.tokens_seen / seconds,
    }
    if trainer.scaling is not None:
        metrics["skipped_steps"] = float(trainer.scaling.skipped)
    evaluated = [entry["eval_loss"] for entry in history if "eval_loss" in entry]
    if evaluated:
        metrics["validation_loss"] = trainer.best.loss if trainer.best is not None else evaluated[-1]
    return metrics


def _mean_logged_loss(history: Sequence[Mapping[str, Any]], otherwise: float) -> float:
    """Mean training loss over all logged steps, where the Trainer's own figure leaves out those before a resume.

    Each entry is the mean since the one before.
    """
    total, last = 0.0, 0
    for entry in history:
        if "loss" in entry:
            total, last = total + entry["loss"] * (entry["step"] - last), entry["step"]
    return total / last if last else otherwise


def environment(seed: int, base: Base, engine: str) -> dict[str, Any]:
    """What a result may depend on besides its config."""
    return {
        "python": platform.python_version(),
        "versions": {name: version(name) for name in _VERSIONED},
        "seed": seed,
        "threads": torch.get_num_threads(),
        "device": device_name(base.device),
        "engine": engine,
        "computed_in": str(base.model.dtype).removeprefix("torch."),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
    } | ({} if here().alone else {"ranks": here().count})
