"""Find versions of an adapter by what they were made from, or by the weights that they hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from adapterkit.artifacts import Artifact, from_report
from adapterkit.errors import AdapterKitError, RefNotFoundError
from adapterkit.names import AdapterRef
from adapterkit.registry.shelf import Shelf
from adapterkit.texts import in_registry


def intact(registry: Shelf, name: str, run_key: str) -> Iterator[Artifact]:
    """The artifacts of an adapter with a run key that verify with all their ancestors, newest first."""
    for version in reversed(registry.versions(name)):
        ref = AdapterRef(name, version)
        try:
            if registry.manifest(ref).run_key == run_key:
                yield from_report(registry.verify(ref))
        except AdapterKitError:
            continue


def ref_with(registry: Shelf, name: str, weights_digest: str) -> AdapterRef | None:
    """The newest version of an adapter whose manifest tells of these weights; null where none does."""
    for version in reversed(registry.versions(name)):
        with suppress(AdapterKitError):
            if registry.manifest(AdapterRef(name, version)).weights_digest == weights_digest:
                return AdapterRef(name, version)
    return None


def version_with(registry: Shelf, name: str, weights_digest: str) -> Artifact:
    """The newest version of an adapter that holds these weights, verified.

    Raises:
        RefNotFoundError: no version that is there does.
        ArtifactError: it is not intact.
    """
    if (ref := ref_with(registry, name, weights_digest)) is not None:
        return registry.artifact(ref)
    raise RefNotFoundError(
        name,
        registry.path,
        why=f"The version of '{name}' that the run started from, with the weights {weights_digest[:12]}, is not in "
        f"{registry.path} any more: `adapterkit gc`, or somebody, removed it. Copy it back; see: "
        f"{in_registry(f'adapterkit history {name}', registry.path)}",
    )
