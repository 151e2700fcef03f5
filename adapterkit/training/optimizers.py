"""Which optimizer trains, where it can, and at which rates: LoRA+ lets B learn faster than A."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import torch
from transformers import Trainer

from adapterkit.errors import UsageError

_B = ".lora_B."


def require_optimizer_runs(name: str, device: torch.device) -> None:
    """Refuse a paged optimizer on the processor.

    Args:
        name: as in `trainer.optimizer`.
        device: where the base will be.

    Raises:
        UsageError: bitsandbytes would train without paging, and say so in a warning at most.
    """
    if name.startswith("paged_") and device.type != "cuda":
        unpaged = name.removeprefix("paged_")
        raise UsageError(
            f"trainer.optimizer={name} needs an NVIDIA GPU: it moves the optimizer's state from the GPU's memory to "
            f"the processor's and back, and on {device.type} there is nothing to move. Write "
            f"trainer.optimizer={unpaged}, which runs here, or use a GPU (device=cuda)."
        )


def loraplus_groups(
    named: Iterable[tuple[str, torch.nn.Parameter]],
    decayed: Collection[str],
    *,
    learning_rate: float,
    ratio: float,
    weight_decay: float,
) -> list[dict[str, Any]]:
    """Parameter groups of LoRA+: the B matrices at `ratio` times the rate of everything else.

    Args:
        named: the model's parameters; those that do not require grad are left out.
        decayed: names of the parameters that weight decay is for.
        learning_rate: of A, and of DoRA's magnitudes.
        ratio: rate of B over rate of A.
        weight_decay: of those that are decayed.

    Returns:
        At most four groups, none empty; A's first, so that the logged rate is A's.

    Source:
        Hayou, Ghosh and Yu, LoRA+: Efficient Low Rank Adaptation of Large Models, arXiv:2402.12354.
    """
    groups: dict[tuple[bool, bool], list[torch.nn.Parameter]] = {}
    for name, parameter in named:
        if parameter.requires_grad:
            groups.setdefault((_B in name, name not in decayed), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": learning_rate * ratio if is_b else learning_rate,
            "weight_decay": 0.0 if undecayed else weight_decay,
        }
        for (is_b, undecayed), parameters in sorted(groups.items(), key=lambda pair: pair[0])
    ]


def use_loraplus(trainer: Trainer, model: Any, ratio: float) -> None:
    """Let a Trainer make its optimizer, whichever it is, with the groups of LoRA+."""
    kind, settings = trainer.get_optimizer_cls_and_kwargs(trainer.args, model)
    groups = loraplus_groups(
        model.named_parameters(),
        set(trainer.get_decay_parameter_names(model)),
        learning_rate=trainer.args.learning_rate,
        ratio=ratio,
        weight_decay=trainer.args.weight_decay,
    )
    trainer.optimizer_cls_and_kwargs = kind, {**settings, "params": groups}


def clip_gradients(optimizer: torch.optim.Optimizer, most: float) -> torch.Tensor:
    """Scale the gradients of an optimizer's parameters to a norm of at most `most`; the norm that they had, (1,).

    The Trainer asks every parameter of the model for its gradient.
    """
    trained = [each for group in optimizer.param_groups for each in group["params"]]
    return torch.nn.utils.clip_grad_norm_(trained, most)
