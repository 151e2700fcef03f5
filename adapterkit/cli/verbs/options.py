"""What several verbs take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from adapterkit.cli.completion import proposals

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
ConfigDir = Annotated[Path | None, typer.Option("--config-dir", help="Your own folder of configs.")]
Rank = Annotated[int | None, typer.Option("--rank", min=1, help="At most so much a layer; default: exact.")]
Apply = Annotated[bool, typer.Option("--apply", help="Remove it. Without this, nothing is changed.")]
Held = Annotated[
    str | None,
    typer.Option(
        "--quantization",
        help="Hold the base otherwise than in training: nf4, int8, ...",
        autocompletion=proposals.quantizations,
    ),
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, ...", autocompletion=proposals.devices)]
TrainingWords = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="WORD",
        help="As one writes them behind `adapterkit train`.",
        autocompletion=proposals.training_words,
    ),
]
