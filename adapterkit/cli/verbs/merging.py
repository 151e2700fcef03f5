"""Verbs that make one adapter of several: merge, compatible. Deep-learning libraries come with `merge` alone."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Annotated

import typer

from adapterkit.cli.completion import proposals
from adapterkit.cli.verbs.options import Json, RegistryOption

if TYPE_CHECKING:
    from adapterkit.merging.compatibility import Compatibility

Refs = Annotated[
    list[str],
    typer.Argument(metavar="REF", help="name, name@version or name@alias, two or more.", autocompletion=proposals.refs),
]
MergingWords = Annotated[list[str] | None, typer.Argument(metavar="WORD", autocompletion=proposals.merging_words)]


def merge(words: MergingWords = None) -> None:
    """Merge adapters into one; everything after `merge` goes to `python -m adapterkit.merge`."""
    import_module("adapterkit.merge").main(words or [])


def compatible(refs: Refs, registry: RegistryOption = None, as_json: Json = False) -> None:
    """Say whether adapters can be merged, and what does not fit (exit code 1: something)."""
    from adapterkit.cli.output import print_json
    from adapterkit.errors import UsageError
    from adapterkit.merging.compatibility import compatibility
    from adapterkit.registry import Registry

    if len(refs) < 2:
        raise UsageError(f"{refs[0]} alone is compatible with itself: name two adapters or more.")
    shelf = Registry(registry)
    found = compatibility([shelf.lineage_artifacts(ref)[-1] for ref in refs])
    print_json(found.to_json()) if as_json else _print(found)
    if not found.fits:
        raise typer.Exit(1)


def _print(found: Compatibility) -> None:
    from adapterkit.cli.output import print_table, printable

    rows = [(each.part, *each.values, "fits" if each.fits else "DOES NOT FIT") for each in found.checks]
    print_table(("", *found.refs, ""), rows)
    for each in found.checks:
        if each.why or each.note:
            print(printable(f"{each.part}: {each.why or each.note}"))
    print("They can be merged." if found.fits else "They cannot be merged.")
