"""What a registry holds, by the first letters of a name or a ref: for a shell, which must not wait for ten thousand."""

from __future__ import annotations

from pathlib import Path

from adapterkit.registry import Registry
from adapterkit.registry.layout import folders_of, is_name


def held_names(registry: Path | None, begun: str) -> list[str]:
    """The names of published adapters that begin so, sorted; null: the default registry."""
    shelf = Registry(registry)
    alike = [name for name in folders_of(shelf.path) if name.startswith(begun) and is_name(name)]
    return [name for name in alike if shelf.versions(name)]


def held_refs(registry: Path | None, begun: str) -> list[str]:
    """The names that begin so; of a single one, and behind an `@`, the aliases and versions as well."""
    name, at, _ = begun.partition("@")
    names = [name] if at else held_names(registry, begun)
    if len(names) != 1:
        return names
    shelf = Registry(registry)
    selectors = [*shelf.aliases(names[0]), *map(str, reversed(shelf.versions(names[0])))]
    refs = [f"{names[0]}@{selector}" for selector in selectors]
    return [ref for ref in [*names, *refs] if ref.startswith(begun)]


def held_aliases(registry: Path | None, begun: str) -> list[str]:
    """The aliases that any adapter has, sorted."""
    shelf = Registry(registry)
    found = {alias for name in shelf.names() for alias in shelf.aliases(name)}
    return sorted(alias for alias in found if alias.startswith(begun))
