"""Rows of numbers in 8 or 4 bits: whole numbers, and one scale for each group of neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from adapterkit.errors import UsageError

GROUP = 64
BITS = (8, 4)
# In 4 bits it pays to cut off the largest number of a group, if the steps between all others become smaller by it.
_SHRUNK = {8: (1.0,), 4: (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7)}


@dataclass(frozen=True)
class Coded:
    """Rows in few bits: a number is its whole number times its group's scale.

    Attributes:
        values: int8 (rows, features); of 4 bits uint8 (rows, half the features, rounded up), each holding two numbers
            with 8 added, the first in its lower half.
        scales: bfloat16 (rows, groups); a group is 64 neighbours of a row, the last one what is left.
    """

    values: torch.Tensor
    scales: torch.Tensor


def encode(rows: torch.Tensor, bits: int) -> Coded:
    """Round rows to few bits, each group with the scale that leaves the smallest squared error of those tried.

    Args:
        rows: (rows, features), any float; need not be contiguous.
        bits: 8 or 4.

    Raises:
        UsageError: a group is beyond what a scale can be.
    """
    features, most = rows.shape[1], 2 ** (bits - 1) - 1
    grouped = torch.nn.functional.pad(rows.to(torch.float32), (0, -features % GROUP)).unflatten(1, (-1, GROUP))
    peaks = grouped.abs().amax(dim=2)
    scales = torch.zeros_like(peaks, dtype=torch.bfloat16)
    values, least = torch.zeros_like(grouped), torch.full_like(peaks, torch.inf)
    for shrunk in _SHRUNK[bits]:
        tried = (peaks * (shrunk / most)).to(torch.bfloat16)
        steps = tried.float()[:, :, None]
        whole = (grouped / steps.where(steps > 0, torch.ones(()))).round().clamp(-most, most)
        error = (whole * steps - grouped).square().sum(dim=2)
        better = error < least
        scales, least = torch.where(better, tried, scales), torch.where(better, error, least)
        values = torch.where(better[:, :, None], whole, values)
    if bool((((scales == 0) & (peaks > 0)) | ~torch.isfinite(least)).any()):
        raise UsageError(
            f"Some changes are too large or too small to be written in {bits} bits: their scale is beyond bfloat16. "
            "Look at the weights of the blend, or write them in full: --dtype float32"
        )
    flat = values.flatten(1)[:, :features].to(torch.int8)
    return Coded((flat if bits == 8 else _packed(flat)).contiguous(), scales.contiguous())


def decode(coded: Coded, bits: int, features: int) -> torch.Tensor:
    """The rows that few bits stand for, float32 (rows, features).

    Args:
        coded: from `encode`.
        bits: 8 or 4.
        features: of a row.
    """
    whole = (coded.values if bits == 8 else _unpacked(coded.values)).to(torch.float32)[:, :features]
    scales = coded.scales.to(torch.float32).repeat_interleave(GROUP, dim=1)[:, :features]
    return whole * scales


def _packed(whole: torch.Tensor) -> torch.Tensor:
    shifted = (torch.nn.functional.pad(whole, (0, whole.shape[1] % 2)) + 8).to(torch.uint8)
    return shifted[:, 0::2] | (shifted[:, 1::2] << 4)


def _unpacked(packed: torch.Tensor) -> torch.Tensor:
    return torch.stack([packed & 15, packed >> 4], dim=2).flatten(1).to(torch.int8) - 8
