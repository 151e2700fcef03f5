"""Rows of different lengths as one batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from adapterkit.data.template import IGNORED

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class PadCollator:
    """Pads on the right to the longest row of the batch.

    Attributes:
        pad_token_id: the id that fills `input_ids`; the attention mask is 0 there and the label -100.
    """

    pad_token_id: int

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """Make one batch.

        Args:
            rows: each with `input_ids` and `labels`, `(tokens,)` of its own length, and perhaps `row`, its
                number, and `weight`; other columns are left out.

        Returns:
            `input_ids`, `attention_mask` and `labels`, each int64 `(rows, tokens)`; `rows`, int64 `(rows,)`, where
            they have numbers; and `weights`, float32 `(rows,)`, where they have weights.
        """
        import torch

        width = max(len(row["input_ids"]) for row in rows)
        numbers = {"rows": torch.tensor([row["row"] for row in rows])} if "row" in rows[0] else {}
        if "weight" in rows[0]:
            numbers["weights"] = torch.tensor([row["weight"] for row in rows], dtype=torch.float32)
        return {
            "input_ids": _padded([row["input_ids"] for row in rows], width, self.pad_token_id),
            "attention_mask": _padded([[1] * len(row["input_ids"]) for row in rows], width, 0),
            "labels": _padded([row["labels"] for row in rows], width, IGNORED),
        } | numbers


def _padded(values: Sequence[Sequence[int]], width: int, filler: int) -> torch.Tensor:
    import torch

    return torch.tensor([[*row, *[filler] * (width - len(row))] for row in values], dtype=torch.int64)
