"""How long a training takes: a guess before it, from a moment's calibration; a prediction after some of its steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from adapterkit.base.heap import bound_primitives
from adapterkit.base.outline import Outline
from adapterkit.training.estimate.work import Work

# The share of the processor's plain matrix products that a step comes to, and an evaluation's forward pass.
_FUSED, _PLAIN, _FORWARD = 0.3, 0.08, 0.12
# An evaluated token against a trained one, with compiled passes and without: the model's own layers forward, against
# forward and backward.
EVALUATED = {True: 1.4, False: 0.4}
# Seconds for a checkpoint, and for what surrounds a training: loading a base of this size a second, proofs, publishing.
_SAVE, _AROUND, _BYTES_A_SECOND = 0.6, 2.5, 130e6
_CALIBRATION_ROWS, _CALIBRATION_SECONDS = 512, 0.15


@dataclass(frozen=True)
class Pace:
    """How long one training takes in parts, in seconds.

    Attributes:
        token: a trained token.
        evaluated: an evaluated one.
        save: a checkpoint.
    """

    token: float
    evaluated: float
    save: float = _SAVE

    def training(self, work: Work, *, done: int = 0) -> float:
        """All steps from the one after `done` on, with the evaluations and checkpoints that come on the way."""
        looks = work.evaluations(done) * work.validation_tokens * self.evaluated + work.saves(done) * self.save
        return sum(work.step_tokens[done:]) * self.token + looks

    def start(self, work: Work) -> float:
        """EVA's look at all rows, at most: the forward pass, and about as long for the directions of the inputs."""
        return 2 * work.row_tokens * self.evaluated

    def test(self, work: Work) -> float:
        """The test rows, once without the new adapter and once with it."""
        return 2 * work.test_tokens * self.evaluated


def guessed_pace(outline: Outline, label_share: float, rate: float, *, fused: bool) -> Pace:
    """A guess before the first step.

    A step computes four operations a weight and token - forward, and the gradient of the input - and the head as much
    for each label (Hu et al., 2021: the weights' own gradients are not needed).

    Args:
        outline: of the base.
        label_share: of the tokens, those with a label.
        rate: floating-point operations a second, from `measured_rate`.
        fused: whether the fused forward pass computes it.
    """
    weights = sum(inputs * outputs for inputs, outputs in outline.blocks.values())
    head = outline.dimensions.hidden * outline.dimensions.vocabulary * label_share
    work = weights + head
    return Pace(4 * work / (rate * (_FUSED if fused else _PLAIN)), 2 * work / (rate * _FORWARD))


def around(stored: int) -> float:
    """Seconds for what surrounds a training, with a base of so many bytes on disk."""
    return _AROUND + stored / _BYTES_A_SECOND


def measured_rate(device: torch.device, dtype: torch.dtype, hidden: int) -> float:
    """Floating-point operations a second of matrix products as wide as the model, measured for a moment.

    Args:
        device: where.
        dtype: in which the model computes.
        hidden: its features.
    """
    bound_primitives()
    x = torch.ones(_CALIBRATION_ROWS, hidden, dtype=dtype, device=device)
    weight = torch.ones(4 * hidden, hidden, dtype=dtype, device=device)
    torch.mm(x, weight.t())
    started, count = time.perf_counter(), 0
    while (seconds := time.perf_counter() - started) < _CALIBRATION_SECONDS:
        torch.mm(x, weight.t())
        count += 1
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    return 2 * _CALIBRATION_ROWS * 4 * hidden * hidden * count / seconds


def paced(step_tokens: Sequence[int], seconds: Sequence[float], *, compiled: bool) -> Pace:
    """The pace of steps that were taken; the first of several is left out, because it warms up.

    Args:
        step_tokens: tokens of each step.
        seconds: of each step.
        compiled: whether compiled passes computed them.
    """
    start = 1 if len(seconds) > 1 else 0
    token = sum(seconds[start:]) / sum(step_tokens[start : len(seconds)])
    return Pace(token, token * EVALUATED[compiled])


Clock = Callable[[], float]
