"""Verbs that put adapters together, and prove what they are: flatten, parity."""

from __future__ import annotations

from typing import Annotated

import typer

from adapterkit.cli.completion.proposals import one_of
from adapterkit.cli.verbs.options import Device, Held, Json, Rank, Ref, RegistryOption

BlendOption = Annotated[
    str | None,
    typer.Option(
        "--blend",
        help="additive (default) or interpolative: how the members add up.",
        autocompletion=one_of("additive", "interpolative"),
    ),
]
Weights = Annotated[
    list[float] | None, typer.Option("--weight", help="One for each member, the root's first; default: 1 for each.")
]


def flatten(
    ref: Ref,
    name: Annotated[str | None, typer.Option("--name", help="Of the result; default: REF's name with _flat.")] = None,
    blend: BlendOption = None,
    weights: Weights = None,
    rank: Rank = None,
    padded: Annotated[bool, typer.Option("--padded", help="One rank for all layers, filled up with zeros.")] = False,
    dtype: Annotated[str, typer.Option("--dtype", help="float32, bfloat16, float16 or float64, stored.")] = "float32",
    registry: RegistryOption = None,
    as_json: Json = False,
) -> None:
    """Make ONE plain LoRA of an adapter and its parents, which any PEFT loads alone, and publish it."""
    from adapterkit.base.quiet import quiet_libraries
    from adapterkit.cli.views.flatten import print_flat
    from adapterkit.registry import Registry

    shelf = Registry(registry)
    shelf.exact(ref)  # Before PEFT, whose import takes seconds.
    quiet_libraries()
    # Brings PEFT, which is told to be quiet.
    from adapterkit.workflows.flatten import FlattenRequest
    from adapterkit.workflows.flatten import flatten as make

    request = FlattenRequest(ref, name, blend=blend, weights=weights or None, rank=rank, padded=padded, dtype=dtype)
    print_flat(make(shelf, request), as_json)


def parity(
    ref: Ref,
    blend: BlendOption = None,
    weights: Weights = None,
    prompts: Annotated[list[str] | None, typer.Option("--prompt", help="Ask this; may be given several times.")] = None,
    new_tokens: Annotated[int | None, typer.Option("--new-tokens", min=1, help="The longest answer.")] = None,
    device: Device = "auto",
    quantization: Held = None,
    registry: RegistryOption = None,
    as_json: Json = False,
) -> None:
    """Prove that an adapter without its change is its parent, and say how far it departs (exit code 1: not proven)."""
    from adapterkit.base.quiet import quiet_libraries
    from adapterkit.cli.views.flatten import print_parity
    from adapterkit.registry import Registry

    Registry(registry).exact(ref)  # As above.
    quiet_libraries()
    from adapterkit.evaluation.parity import NEW_TOKENS, PROMPTS
    from adapterkit.workflows.parity import parity as compare

    found = compare(
        ref,
        registry=registry,
        device=device,
        quantization=quantization,
        blend=blend,
        weights=weights or None,
        prompts=prompts or PROMPTS,
        new_tokens=new_tokens or NEW_TOKENS,
    )
    print_parity(ref, found, as_json)
    if not found.proven:
        raise typer.Exit(1)
