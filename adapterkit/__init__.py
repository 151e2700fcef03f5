"""Families of LoRA adapters on one frozen base: trained, proven, versioned, stacked.

The public index. Names are loaded when they are first used, so that `import adapterkit` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adapterkit import errors as errors
    from adapterkit import presets as presets
    from adapterkit.artifacts.read import Artifact as Artifact
    from adapterkit.artifacts.verify import VerificationReport as VerificationReport
    from adapterkit.names import AdapterRef as AdapterRef
    from adapterkit.registry.registry import Registry as Registry
    from adapterkit.registry.verify_target import verify as verify
    from adapterkit.serving.session import Session as Session
    from adapterkit.serving.session import load as load
    from adapterkit.stack.adapter_stack import AdapterStack as AdapterStack
    from adapterkit.training.interruption import TrainingInterrupted as TrainingInterrupted
    from adapterkit.workflows.flatten_stack import flatten_stack as flatten_stack
    from adapterkit.workflows.merge_adapters import merge_adapters as merge_adapters
    from adapterkit.workflows.train_recipe import train_recipe as train_recipe

__version__ = "0.1.0"

_HOMES = {
    "AdapterRef": "adapterkit.names",
    "AdapterStack": "adapterkit.stack.adapter_stack",
    "Artifact": "adapterkit.artifacts.read",
    "Registry": "adapterkit.registry.registry",
    "Session": "adapterkit.serving.session",
    "TrainingInterrupted": "adapterkit.training.interruption",
    "VerificationReport": "adapterkit.artifacts.verify",
    "flatten_stack": "adapterkit.workflows.flatten_stack",
    "load": "adapterkit.serving.session",
    "merge_adapters": "adapterkit.workflows.merge_adapters",
    "train_recipe": "adapterkit.workflows.train_recipe",
    "verify": "adapterkit.registry.verify_target",
}
_ROOMS = ("errors", "presets")

__all__ = [
    "AdapterRef",
    "AdapterStack",
    "Artifact",
    "Registry",
    "Session",
    "TrainingInterrupted",
    "VerificationReport",
    "errors",
    "flatten_stack",
    "load",
    "merge_adapters",
    "presets",
    "train_recipe",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"adapterkit.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'adapterkit' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
