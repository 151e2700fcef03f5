"""Verbs that train: train, rebuild, reproduce. Deep-learning libraries come once they are called."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from adapterkit.cli.completion import proposals
from adapterkit.cli.verbs.options import Device, Json, Ref, RegistryOption, TrainingWords
from adapterkit.errors import UsageError


def train(words: TrainingWords = None) -> None:
    """Train an adapter; everything after `train` goes to `python -m adapterkit.train`."""
    import_module("adapterkit.train").main(words or [])


def rebuild(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="Only these and their parents.", autocompletion=proposals.names),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be trained, and train nothing.")] = False,
    outputs: Annotated[Path, typer.Option("--outputs", help="Where run directories go.")] = Path("outputs"),
    device: Device = "auto",
    registry: RegistryOption = None,
    as_json: Json = False,
) -> None:
    """Train again exactly what is stale, parents first, each as its own command would ask for it now."""
    from adapterkit.base.quiet import quiet_libraries
    from adapterkit.cli.output import log_to_stderr
    from adapterkit.cli.views.rebuild import print_plan, print_rebuilt
    from adapterkit.config.outcome import INTERRUPTED
    from adapterkit.registry import Registry
    from adapterkit.workflows.planning import planned
    from adapterkit.workflows.rebuild import rebuild as rebuild_stale

    quiet_libraries()
    log_to_stderr()
    shelf = Registry(registry)
    if not os.path.isdir(shelf.path):
        raise UsageError(f"There is no folder {shelf.path}: nothing was ever published there. Name it with --registry.")
    if dry_run:
        done = planned(shelf, names or ())
        print_plan(done, as_json)
    else:
        try:
            done = rebuild_stale(shelf, names or (), outputs=outputs, device=device)
        except KeyboardInterrupt as error:
            print(f"interrupted: {str(error) or 'nothing more was trained'}; the same command goes on", file=sys.stderr)
            raise typer.Exit(INTERRUPTED) from error
        print_rebuilt(done, as_json)
    if any(each.problem for each in done):
        raise typer.Exit(1)


def reproduce(
    ref: Ref,
    device: Annotated[
        str | None, typer.Option("--device", help="Default: as it was recorded.", autocompletion=proposals.devices)
    ] = None,
    keep: Annotated[Path | None, typer.Option("--keep", help="A new folder for the run, to look at later.")] = None,
    registry: RegistryOption = None,
    as_json: Json = False,
) -> None:
    """Train an adapter again from what it records, in a fresh process, and compare every bit (exit code 1: unequal)."""
    from adapterkit.cli.output import log_to_stderr
    from adapterkit.cli.views.rebuild import print_reproduction
    from adapterkit.registry import Registry
    from adapterkit.workflows.reproduce import reproduce as train_again

    log_to_stderr()
    found = train_again(Registry(registry), ref, device=device, keep=keep)
    print_reproduction(found, as_json)
    if not found.identical:
        raise typer.Exit(1)
