"""The registry: publish, resolve, verify with ancestors."""

from adapterkit.registry.layout import DEFAULT_REGISTRY, REGISTRY_VARIABLE, default_registry
from adapterkit.registry.publish import Published, publish
from adapterkit.registry.registry import Registry
from adapterkit.registry.resolving import Resolved
from adapterkit.registry.verification import verify
from adapterkit.registry.versioning import VersionFacts, next_version

__all__ = [
    "DEFAULT_REGISTRY",
    "REGISTRY_VARIABLE",
    "Published",
    "Registry",
    "Resolved",
    "VersionFacts",
    "default_registry",
    "next_version",
    "publish",
    "verify",
]
