"""`adapterkit chat`: its options, and the session that answers."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from adapterkit.cli.verbs.options import Device, Held, Json, Keys, Ref, RegistryOption
from adapterkit.errors import UsageError


def chat(
    ref: Ref,
    registry: RegistryOption = None,
    message: Annotated[str | None, typer.Option("--message", help="Ask this once, print the answer, leave.")] = None,
    system: Annotated[str | None, typer.Option("--system", help="A system message that every turn sees.")] = None,
    device: Device = "auto",
    quantization: Held = None,
    max_new_tokens: Annotated[int, typer.Option("--max-new-tokens", min=1)] = 256,
    sample: Annotated[bool, typer.Option("--sample", help="Sample, instead of taking the likeliest token.")] = False,
    temperature: Annotated[float | None, typer.Option("--temperature", min=0.0, help="Implies --sample.")] = None,
    top_p: Annotated[float | None, typer.Option("--top-p", min=0.0, max=1.0, help="Implies --sample.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Makes sampling repeatable.")] = None,
    keys: Keys = None,
    as_json: Json = False,
) -> None:
    """Talk to an adapter on its whole stack. /reset forgets the conversation, /exit or Ctrl-D leaves."""
    from adapterkit.cli.output import print_json, printable
    from adapterkit.cli.views.chat import Chat, talk
    from adapterkit.registry import Registry

    if as_json and message is None:
        raise UsageError("--json prints one answer: give the question with --message TEXT.")
    if message is not None and not message.strip():
        raise UsageError("--message is empty: write a question behind it, or leave it out to talk.")
    Registry(registry).exact(ref)  # Before PEFT, whose import takes seconds, comes with what loads it.
    settings: dict[str, Any] = {
        "max_new_tokens": max_new_tokens,
        # A temperature of 0 is the usual way to ask for the likeliest token.
        "do_sample": (sample or temperature is not None or top_p is not None) and temperature != 0,
        "temperature": temperature,
        "top_p": top_p,
        "seed": seed,
    }
    # Brings PEFT, which is told to be quiet.
    from adapterkit.serving.session import load

    session = load(ref, registry=registry, device=device, quantization=quantization, keys=keys or ())
    if not as_json:
        print(printable(str(session.lineage)), file=sys.stderr)
    conversation = Chat(session, settings, system)
    if message is None:
        talk(conversation)
        return
    answer = conversation.ask(message)
    print_json({"lineage": str(session.lineage), "message": message, "answer": answer}) if as_json else print(answer)
