"""Which version numbers of an adapter were given, though their folders may be gone: a ref never means other weights."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from adapterkit.errors import RegistryError, UsageError
from adapterkit.manifest import MANIFEST_FILE
from adapterkit.names import AdapterRef, Version
from adapterkit.registry.aliases import AliasMove, alias_names, alias_records
from adapterkit.registry.glance import manifest_bytes, parse_at_a_glance
from adapterkit.registry.layout import folders_of, is_name, list_versions


def numbers_given(registry: Path, name: str) -> Mapping[Version, frozenset[str]]:
    """The numbers that moves of aliases, or what was built on them, remember, each with the weights bound to it.

    What cannot be read remembers nothing: a damaged neighbour must not keep anybody from publishing.
    """
    found: dict[Version, set[str]] = defaultdict(set)
    for version in _moved_to(registry / name):
        found[version] |= set()
    for version, weights in _built_on(registry, name):
        found[version].add(weights)
    return {version: frozenset(weights) for version, weights in found.items()}


def _moved_to(folder: Path) -> Iterator[Version]:
    with suppress(RegistryError):
        for alias in alias_names(folder):
            with suppress(RegistryError):
                for move in alias_records(folder, alias):
                    yield from (move.version, move.highest) if isinstance(move, AliasMove) else ()


def _built_on(registry: Path, name: str) -> Iterator[tuple[Version, str]]:
    """Versions of an adapter that the manifests of others name, and the `weights_digest` that they bind.

    Of ten thousand manifests few name it: only those are parsed.
    """
    called = f'"{name}@'.encode()
    for path in _others(registry, name):
        with suppress(OSError, ValueError, RecursionError, UsageError):
            if called in (data := manifest_bytes(path)):
                manifest = parse_at_a_glance(data)
                for member in (*manifest.lineage, *manifest.merged_from):
                    ref = AdapterRef.parse(member.ref)
                    if ref.name == name and isinstance(ref.selector, Version):
                        yield ref.selector, member.weights_digest


def _others(registry: Path, name: str) -> Iterator[str]:
    for other in folders_of(registry):
        with suppress(RegistryError):
            for version in list_versions(registry / other) if is_name(other) and other != name else ():
                yield f"{registry}/{other}/{version}/{MANIFEST_FILE}"
