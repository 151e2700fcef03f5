"""What several verbs take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from adapterkit.cli import proposals

Ref = Annotated[
    str, typer.Argument(metavar="REF", help="name, name@version or name@alias.", autocompletion=proposals.refs)
]
RegistryOption = Annotated[
    Path | None,
    typer.Option("--registry", help="Folder of published adapters; default: $ADAPTERKIT_REGISTRY, or adapters."),
]
Keys = Annotated[
    list[Path] | None,
    typer.Option("--key", help="Public key, PEM: demand a signature by it, or by one of several, on each of them."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, ...", autocompletion=proposals.devices)]
TrainingWords = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="WORD",
        help="As one writes them behind `adapterkit train`.",
        autocompletion=proposals.training_words,
    ),
]
