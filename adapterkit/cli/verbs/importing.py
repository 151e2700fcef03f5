"""`adapterkit import`: a LoRA folder that PEFT wrote, and what is said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from adapterkit.cli.completion.proposals import quantizations, refs
from adapterkit.cli.verbs.options import Json, RegistryOption


def import_folder(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A LoRA folder that PEFT wrote.")],
    name: Annotated[str, typer.Option("--name", help="The adapter's name from now on.")],
    quantization: Annotated[
        str,
        typer.Option(
            "--quantization",
            help="How the base was held in training: nf4, int8, bf16, fp32, fp16 or nf4_fp16.",
            autocompletion=quantizations,
        ),
    ],
    base: Annotated[str | None, typer.Option("--base", help="Default: what adapter_config.json names.")] = None,
    revision: Annotated[str | None, typer.Option("--revision", help="Of the base, on the hub.")] = None,
    parent: Annotated[
        list[str] | None, typer.Option("--parent", help="What it was trained on top of.", autocompletion=refs)
    ] = None,
    description: Annotated[str, typer.Option("--description")] = "",
    registry: RegistryOption = None,
    as_json: Json = False,
) -> None:
    """Publish a LoRA folder that PEFT wrote, its base and parents stated. The folder stays as it is."""
    from adapterkit.base.quiet import quiet_libraries
    from adapterkit.cli.output import print_json
    from adapterkit.registry import Registry

    quiet_libraries()
    # Brings PEFT, which is told to be quiet.
    from adapterkit.workflows.adopt import ImportRequest, adopt

    request = ImportRequest(
        folder, name, base, quantization, parents=parent or (), revision=revision, description=description
    )
    published = adopt(Registry(registry), request)
    ref, path = str(published.manifest.ref), str(published.path)
    if as_json:
        print_json({"ref": ref, "path": path, "new": published.new, "lineage": str(published.manifest.lineage)})
    else:
        print(f"{'Imported as' if published.new else 'Already imported as'} {ref}: {path}")
