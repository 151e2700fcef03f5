"""Find intact artifacts, standing on intact ancestors, by what they were made from."""

from __future__ import annotations

from collections.abc import Iterator

from adapterkit.artifacts import Artifact
from adapterkit.errors import AdapterKitError
from adapterkit.names import AdapterRef
from adapterkit.registry.shelf import Shelf


def intact(registry: Shelf, name: str, run_key: str) -> Iterator[Artifact]:
    """The artifacts of an adapter with a run key that verify with all their ancestors, newest first."""
    for version in reversed(registry.versions(name)):
        ref = AdapterRef(name, version)
        try:
            if registry.manifest(ref).run_key == run_key and registry.verify(ref).ok:
                yield registry.artifact(ref)
        except AdapterKitError:
            continue
