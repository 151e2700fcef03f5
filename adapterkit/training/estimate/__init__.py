"""What a training will come to: parameters, bytes, memory and time, from its config and its rows."""

from adapterkit.training.estimate.budget import largest_rank, require_budget
from adapterkit.training.estimate.duration import Pace, around, guessed_pace, measured_rate, paced
from adapterkit.training.estimate.memory import Memory, is_fused, is_tiled, memory_of, resident_bytes
from adapterkit.training.estimate.prediction import Estimate
from adapterkit.training.estimate.rank import kept_alpha, rank_suggestion, suggested_rank
from adapterkit.training.estimate.remaining import RemainingTime
from adapterkit.training.estimate.size import AdapterSize, adapter_size, targeted_layers, tensor_shapes
from adapterkit.training.estimate.work import Batch, Work, work_of

__all__ = [
    "AdapterSize",
    "Batch",
    "Estimate",
    "Memory",
    "Pace",
    "RemainingTime",
    "Work",
    "adapter_size",
    "around",
    "guessed_pace",
    "is_fused",
    "is_tiled",
    "kept_alpha",
    "largest_rank",
    "measured_rate",
    "memory_of",
    "paced",
    "rank_suggestion",
    "require_budget",
    "resident_bytes",
    "suggested_rank",
    "targeted_layers",
    "tensor_shapes",
    "work_of",
]
