"""The verb that writes adapters for other programs: export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from adapterkit.cli.completion.proposals import one_of
from adapterkit.cli.verbs.options import Json, Rank, Ref, RegistryOption
from adapterkit.cli.verbs.stacking import BlendOption, Weights

Form = Annotated[
    str,
    typer.Option(
        "--to",
        help="merged (a whole model), gguf (llama.cpp), vllm or hub.",
        autocompletion=one_of("merged", "gguf", "vllm", "hub"),
    ),
]


def export(
    ref: Ref,
    form: Form,
    out: Annotated[Path, typer.Option("--out", help="The new folder; nothing may be there.")],
    blend: BlendOption = None,
    weights: Weights = None,
    rank: Rank = None,
    dtype: Annotated[
        str | None,
        typer.Option("--dtype", help="float32 (default), bfloat16 or float16; for the hub also int8 and int4."),
    ] = None,
    base_id: Annotated[
        str | None, typer.Option("--base-id", help="The hub id under which others find the base.")
    ] = None,
    base_weights: Annotated[
        str,
        typer.Option("--base-weights", help="merged: dequantized, as the adapters were trained on them, or original."),
    ] = "dequantized",
    quantize: Annotated[
        str | None, typer.Option("--quantize", help="merged: nf4 quantizes the sum; see --accept-loss.")
    ] = None,
    accept_loss: Annotated[
        float | None,
        typer.Option("--accept-loss", help="The share of a layer's change that --quantize may lose, e.g. 0.9."),
    ] = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="merged: run it beside the stack, and say how far.")
    ] = False,
    stacked: Annotated[bool, typer.Option("--stacked", help="hub: all members, instead of one flattened.")] = False,
    registry: RegistryOption = None,
    as_json: Json = False,
) -> None:
    """Write an adapter and its parents as a whole model, or for llama.cpp, vLLM or the hub, into a new folder."""
    from adapterkit.base.quiet import quiet_libraries
    from adapterkit.cli.views.export import print_export
    from adapterkit.registry import Registry

    shelf = Registry(registry)
    shelf.exact(ref)  # Before PEFT, whose import takes seconds.
    quiet_libraries()
    # Brings PEFT, which is told to be quiet.
    from adapterkit.workflows.export import export as write
    from adapterkit.workflows.export_request import ExportRequest

    request = ExportRequest(
        ref,
        form,
        out,
        blend=blend,
        weights=weights or None,
        rank=rank,
        dtype=dtype,
        base_id=base_id,
        base_weights=base_weights,
        quantize=quantize,
        accept_loss=accept_loss,
        measure=measure,
        stacked=stacked,
    )
    print_export(write(shelf, request), as_json)
