"""What several verbs take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Ref = Annotated[str, typer.Argument(metavar="REF", help="name, name@version or name@alias.")]
RegistryOption = Annotated[
    Path | None,
    typer.Option("--registry", help="Folder of published adapters; default: $ADAPTERKIT_REGISTRY, or adapters."),
]
Keys = Annotated[
    list[Path] | None,
    typer.Option("--key", help="Public key, PEM: demand a signature by it, or by one of several, on each of them."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
