"""`adapterkit doctor`: is all here that a training needs, and does it go together?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from adapterkit.cli.verbs.options import Json, RegistryOption


def doctor(
    config_dir: Annotated[Path | None, typer.Option("--config-dir", help="Your own configs, to be tried too.")] = None,
    registry: RegistryOption = None,
    as_json: Json = False,
) -> None:
    """Look at versions, machine, known-bad combinations, recipes, cache and registry (exit code 1: one is bad)."""
    import dataclasses

    from adapterkit.base.quiet import quiet_libraries
    from adapterkit.cli.output import print_json, print_table
    from adapterkit.registry import Registry
    from adapterkit.workflows.doctor import BAD, examine

    quiet_libraries()
    found = examine(Registry(registry), config_dir)
    if as_json:
        print_json([dataclasses.asdict(finding) for finding in found])
    else:
        print_table(("area", "what", "state", "found"), [(f.area, f.what, f.state, f.told) for f in found])
    if any(finding.state == BAD for finding in found):
        raise typer.Exit(1)
