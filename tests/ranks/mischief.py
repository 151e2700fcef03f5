"""What may go wrong on one rank: each is done to the process of that rank before it trains."""

from __future__ import annotations

import os
import signal
from typing import Any

from adapterkit.config.schema import TrainConfig
from adapterkit.training.trainer import AdapterTrainer


def _at_step(step: int, done: Any) -> None:
    plain = AdapterTrainer.compute_loss

    def compute_loss(self: Any, model: Any, *arguments: Any, **more: Any) -> Any:
        loss = plain(self, model, *arguments, **more)
        return done(self, loss) if self.state.global_step == step else loss

    AdapterTrainer.compute_loss = compute_loss  # type: ignore[method-assign]


def nan_loss(_config: TrainConfig) -> None:
    """The weights of the trainee become NaN before the third step, and so the loss after it."""

    def spoil(self: Any, loss: Any) -> Any:
        self.stack.trainee_parameters()[0].data.fill_(float("nan"))
        return loss

    _at_step(1, spoil)


def moved_base(_config: TrainConfig) -> None:
    """A weight of the base is another at the second step."""

    def move(self: Any, loss: Any) -> Any:
        next(iter(self.stack.base.model.parameters())).data[0, 0] += 1
        return loss

    _at_step(1, move)


def moved_trainee(_config: TrainConfig) -> None:
    """A weight of the trainee is another at the second step, on this rank alone."""

    def move(self: Any, loss: Any) -> Any:
        self.stack.trainee_parameters()[1].data[0, 0] += 1e-3
        return loss

    _at_step(1, move)


def thawed(_config: TrainConfig) -> None:
    """A frozen weight requires a gradient at the second step."""

    def thaw(self: Any, loss: Any) -> Any:
        next(iter(self.stack.base.model.parameters())).requires_grad_(True)
        return loss

    _at_step(1, thaw)


def terminated(_config: TrainConfig) -> None:
    """SIGTERM comes in the second step."""

    def stop(_self: Any, loss: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return loss

    _at_step(1, stop)


def killed(_config: TrainConfig) -> None:
    """SIGKILL comes in the sixth step."""

    def kill(_self: Any, loss: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)
        return loss

    _at_step(5, kill)


def bad_data(config: TrainConfig) -> None:
    """This rank's file of rows has an odd line at its end."""
    config.data.train = str(config.data.train).replace("train.jsonl", "odd.jsonl")


def other_data(config: TrainConfig) -> None:
    """This rank reads other rows."""
    config.data.train = str(config.data.train).replace("train.jsonl", "held_out.jsonl")


def no_place(config: TrainConfig) -> None:
    """This rank's registry stands where there is a file."""
    config.registry = f"{config.data.train}/adapters"


def full_disk(_config: TrainConfig) -> None:
    """This rank may write no file longer than 20 kB, once it trains."""
    import resource

    def fill(_self: Any, loss: Any) -> Any:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
        return loss

    _at_step(1, fill)


def moved_part(_config: TrainConfig) -> None:
    """A number of this rank's part of a base that is cut among ranks is another at the second step."""

    def move(self: Any, loss: Any) -> Any:
        part = next(each for each in self.stack.base.model.parameters() if hasattr(each, "to_local"))
        part.to_local()[0] += 1
        return loss

    _at_step(1, move)


def large_scale(_config: TrainConfig) -> None:
    """The loss of a float16 training is scaled by so much that its first steps overflow."""
    import functools

    import torch

    plain = torch.amp.GradScaler.__init__
    torch.amp.GradScaler.__init__ = functools.partialmethod(plain, init_scale=2.0**26)  # type: ignore[method-assign]
