"""Verbs that change a registry, and never a version in it: promote, rollback, remove, gc."""

from __future__ import annotations

from typing import Annotated

import typer

from adapterkit.cli.completion import proposals
from adapterkit.cli.verbs.options import Apply, Json, Ref, RegistryOption
from adapterkit.texts import in_registry

# As `registry.KEEP`, which `--help` does not wait for.
_KEEP = 3


def promote(
    ref: Ref,
    to: Annotated[
        str, typer.Option("--to", metavar="ALIAS", help="Which alias to move.", autocompletion=proposals.aliases)
    ] = "production",
    registry: RegistryOption = None,
    as_json: Json = False,
) -> None:
    """Point an alias at a version, once that verifies with all its ancestors."""
    from adapterkit.cli.views.moves import print_moved
    from adapterkit.registry import Registry

    print_moved(Registry(registry).promote(ref, to), as_json)


def rollback(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME[@ALIAS]", help="The adapter; without an alias, its latest.", autocompletion=proposals.refs
        ),
    ],
    to: Annotated[str | None, typer.Option("--to", metavar="VERSION", help="Default: what it was before.")] = None,
    registry: RegistryOption = None,
    as_json: Json = False,
) -> None:
    """Point an alias back at the version before. No version is touched; the next one published is latest again."""
    from adapterkit.cli.views.moves import print_moved, which_alias
    from adapterkit.registry import Registry

    shelf = Registry(registry)
    ref = which_alias(name, shelf.path)
    print_moved(shelf.rollback(ref.name, str(ref.selector), to=to), as_json)


def remove(
    ref: Annotated[
        str, typer.Argument(metavar="NAME@VERSION", help="The very version.", autocompletion=proposals.refs)
    ],
    apply: Apply = False,
    registry: RegistryOption = None,
    as_json: Json = False,
) -> None:
    """Remove one version, such as a bad update that was rolled back; not what an alias means or something stands on."""
    from adapterkit.cli.views.removal import print_removed
    from adapterkit.registry import Registry

    shelf = Registry(registry)
    found = shelf.remove(ref, apply=apply)
    command = in_registry(f"adapterkit remove {found.ref} --apply", shelf.path)
    print_removed(found, None if apply else command, as_json)


def gc(
    apply: Apply = False,
    keep: Annotated[int, typer.Option("--keep", min=1, help="So many of each adapter's newest versions stay.")] = _KEEP,
    registry: RegistryOption = None,
    as_json: Json = False,
) -> None:
    """Say what nothing needs - no alias, no rollback, no child - and with --apply remove it."""
    from adapterkit.cli.views.removal import print_collected
    from adapterkit.registry import Registry

    shelf = Registry(registry)
    planned = shelf.plan_collection(keep=keep)
    found = shelf.collect(planned, keep=keep) if apply else planned
    said = f" --keep {keep}" if keep != _KEEP else ""
    command = in_registry(f"adapterkit gc --apply{said}", shelf.path)
    print_collected(found, shelf.path, None if apply else command, as_json)
