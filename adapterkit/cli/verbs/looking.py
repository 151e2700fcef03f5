"""Verbs that only look: list, show, verify, lineage, status, history.

What a verb needs is imported when it is called, so that `--help` costs nothing.
"""

from __future__ import annotations

from typing import Annotated

import typer

from adapterkit.cli.completion import proposals
from adapterkit.cli.verbs.options import Json, Keys, Ref, RegistryOption


def list_adapters(registry: RegistryOption = None, as_json: Json = False) -> None:
    """List every published adapter and version."""
    from adapterkit.cli.output import print_json
    from adapterkit.cli.views.listing import listing, print_listing
    from adapterkit.registry import Registry

    shelf = Registry(registry)
    rows = listing(shelf)
    print_json(rows) if as_json else print_listing(shelf.path, rows)


def show(ref: Ref, registry: RegistryOption = None, as_json: Json = False) -> None:
    """Show what one adapter says of itself."""
    from adapterkit.cli.output import print_json
    from adapterkit.cli.views.show import details, print_details
    from adapterkit.registry import Registry

    shelf = Registry(registry)
    found = shelf.resolve(ref)
    manifest = shelf.manifest(found.ref)
    if as_json:
        print_json(details(manifest, found.path))
    else:
        print_details(manifest, found.path)


def verify(
    target: Annotated[
        str,
        typer.Argument(
            metavar="REF|PATH", help="name, name@version, or an artifact's folder.", autocompletion=proposals.refs
        ),
    ],
    keys: Keys = None,
    registry: RegistryOption = None,
    as_json: Json = False,
) -> None:
    """Check every byte and every statement of an adapter and of its ancestors; with --key their signatures too."""
    from adapterkit.cli.output import print_json
    from adapterkit.cli.views.verify import findings, print_findings
    from adapterkit.registry import verify as verify_target

    report = verify_target(target, registry=registry, keys=keys or ())
    print_json(findings(report)) if as_json else print_findings(report)
    if not report.ok:
        raise typer.Exit(1)


def lineage(ref: Ref, registry: RegistryOption = None, as_json: Json = False) -> None:
    """Show the chain an adapter stands on, from the base up."""
    from adapterkit.cli.output import print_json
    from adapterkit.cli.views.lineage import chain, print_chain
    from adapterkit.registry import Registry

    shelf = Registry(registry)
    facts = chain(shelf, shelf.lineage(ref))
    print_json(facts) if as_json else print_chain(facts)


def status(
    every: Annotated[bool, typer.Option("--all", help="Compare the rows of all adapters whose files changed.")] = False,
    registry: RegistryOption = None,
    as_json: Json = False,
) -> None:
    """Show the family as a tree: what is fresh, what is stale and why, what is broken (then the exit code is 1)."""
    from adapterkit.cli.output import print_json
    from adapterkit.cli.views.listing import print_empty
    from adapterkit.cli.views.status import any_broken, print_tree, standings
    from adapterkit.registry import Registry
    from adapterkit.workflows.present import MOST_READ, Present
    from adapterkit.workflows.status import status as status_of

    shelf = Registry(registry)
    found = status_of(shelf, Present(None if every else MOST_READ))
    if as_json:
        print_json(standings(found))
    elif found:
        print_tree(found)
    else:
        print_empty(shelf.path)
    if any_broken(found):
        raise typer.Exit(1)


def history(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The adapter's name.", autocompletion=proposals.names)],
    registry: RegistryOption = None,
    as_json: Json = False,
) -> None:
    """Show every version of an adapter with what changed in it, and every move of its aliases."""
    from adapterkit.cli.output import print_json
    from adapterkit.cli.views.moves import bare_name, print_history
    from adapterkit.cli.views.moves import history as facts_of
    from adapterkit.registry import Registry

    facts = facts_of(Registry(registry), bare_name(name))
    print_json(facts) if as_json else print_history(facts)
