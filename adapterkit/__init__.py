"""Families of LoRA adapters on one frozen base: trained, proven, versioned, stacked.

The public index. Names are loaded when they are first used, so that `import adapterkit` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adapterkit import errors as errors
    from adapterkit import presets as presets
    from adapterkit.artifacts.verify import VerificationReport as VerificationReport
    from adapterkit.names import AdapterRef as AdapterRef
    from adapterkit.registry.registry import Registry as Registry
    from adapterkit.registry.verification import verify as verify
    from adapterkit.serving.session import Session as Session
    from adapterkit.serving.session import load as load
    from adapterkit.stack.adapter_stack import AdapterStack as AdapterStack
    from adapterkit.workflows.train_recipe import train_recipe as train_recipe

__version__ = "0.1.0"

_HOMES = {
    "AdapterRef": "adapterkit.names",
    "AdapterStack": "adapterkit.stack.adapter_stack",
    "Registry": "adapterkit.registry.registry",
    "Session": "adapterkit.serving.session",
    "VerificationReport": "adapterkit.artifacts.verify",
    "load": "adapterkit.serving.session",
    "train_recipe": "adapterkit.workflows.train_recipe",
    "verify": "adapterkit.registry.verification",
}
_ROOMS = ("errors", "presets")

__all__ = [
    "AdapterRef",
    "AdapterStack",
    "Registry",
    "Session",
    "VerificationReport",
    "errors",
    "load",
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
