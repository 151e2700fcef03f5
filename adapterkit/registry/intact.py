"""Find intact artifacts by what they were made from."""

from __future__ import annotations

from collections.abc import Iterator

from adapterkit.artifacts import Artifact
from adapterkit.errors import AdapterKitError
from adapterkit.names import AdapterRef
from adapterkit.registry.shelf import Shelf


def intact(registry: Shelf, name: str, run_key: str) -> Iterator[Artifact]:
    """The intact artifacts of an adapter with a run key, newest first; damaged ones are passed over."""
    for version in reversed(registry.versions(name)):
        ref = AdapterRef(name, version)
        try:
            if registry.manifest(ref).run_key == run_key:
                yield registry.artifact(ref)
        except AdapterKitError:
            continue
