"""The verbs: what each takes, which question it answers, and how the command ends.

Nothing here or above imports a deep-learning library, but for `chat` and `train` once they are called.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from adapterkit.errors import AdapterKitError, UsageError

DEBUG_VARIABLE = "ADAPTERKIT_DEBUG"
_FORWARDED = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

app = typer.Typer(
    name="adapterkit",
    help="Families of LoRA adapters on one frozen base: list, verify, train and talk to them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Ref = Annotated[str, typer.Argument(metavar="REF", help="name, or name@version.")]
RegistryOption = Annotated[
    Path | None,
    typer.Option("--registry", help="Folder of published adapters; default: $ADAPTERKIT_REGISTRY, or adapters."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def main(arguments: list[str] | None = None) -> None:
    """Run the command and leave: 0 fine, 1 a check failed or something is missing, 2 wrong usage.

    Args:
        arguments: the words after `adapterkit`; null means those of the process.

    Raises:
        SystemExit: always, with the exit code.
        AdapterKitError: only under `ADAPTERKIT_DEBUG=1`, for its traceback.
    """
    try:
        app(args=arguments, prog_name="adapterkit")
    except AdapterKitError as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


@app.command("list")
def list_adapters(registry: RegistryOption = None, as_json: Json = False) -> None:
    """List every published adapter and version."""
    from adapterkit.cli.listing import listing, print_listing
    from adapterkit.cli.output import print_json
    from adapterkit.registry import Registry

    shelf = Registry(registry)
    rows = listing(shelf)
    print_json(rows) if as_json else print_listing(shelf.path, rows)


@app.command()
def show(ref: Ref, registry: RegistryOption = None, as_json: Json = False) -> None:
    """Show what one adapter says of itself."""
    from adapterkit.cli.details import print_details
    from adapterkit.cli.output import print_json
    from adapterkit.registry import Registry

    shelf = Registry(registry)
    found = shelf.resolve(ref)
    manifest = shelf.manifest(found.ref)
    if as_json:
        print_json({"ref": str(found.ref), "path": str(found.path), "manifest": manifest.to_json()})
    else:
        print_details(manifest, found.path)


@app.command()
def verify(
    target: Annotated[str, typer.Argument(metavar="REF|PATH", help="name, name@version, or an artifact's folder.")],
    registry: RegistryOption = None,
    as_json: Json = False,
) -> None:
    """Check every byte and every statement of an adapter and of its ancestors."""
    from adapterkit.cli.findings import findings, print_findings
    from adapterkit.cli.output import print_json
    from adapterkit.registry import verify as verify_target

    report = verify_target(target, registry=registry)
    print_json(findings(report)) if as_json else print_findings(report)
    if not report.ok:
        raise typer.Exit(1)


@app.command()
def lineage(ref: Ref, registry: RegistryOption = None, as_json: Json = False) -> None:
    """Show the chain an adapter stands on, from the base up."""
    from adapterkit.cli.ancestry import chain, print_chain
    from adapterkit.cli.output import print_json
    from adapterkit.registry import Registry

    shelf = Registry(registry)
    facts = chain(shelf, shelf.lineage(ref))
    print_json(facts) if as_json else print_chain(facts)


@app.command()
def chat(
    ref: Ref,
    registry: RegistryOption = None,
    message: Annotated[str | None, typer.Option("--message", help="Ask this once, print the answer, leave.")] = None,
    system: Annotated[str | None, typer.Option("--system", help="A system message that every turn sees.")] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, ...")] = "auto",
    quantization: Annotated[
        str | None, typer.Option("--quantization", help="Hold the base otherwise than in training: nf4, int8, ...")
    ] = None,
    max_new_tokens: Annotated[int, typer.Option("--max-new-tokens", min=1)] = 256,
    sample: Annotated[bool, typer.Option("--sample", help="Sample, instead of taking the likeliest token.")] = False,
    temperature: Annotated[float | None, typer.Option("--temperature", min=0.0, help="Implies --sample.")] = None,
    top_p: Annotated[float | None, typer.Option("--top-p", min=0.0, max=1.0, help="Implies --sample.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Makes sampling repeatable.")] = None,
    as_json: Json = False,
) -> None:
    """Talk to an adapter on its whole stack. /reset forgets the conversation, /exit or Ctrl-D leaves."""
    from adapterkit.cli.conversation import Conversation, talk
    from adapterkit.cli.output import print_json

    if as_json and message is None:
        raise UsageError("--json prints one answer: give the question with --message TEXT.")
    settings: dict[str, Any] = {
        "max_new_tokens": max_new_tokens,
        # A temperature of 0 is the usual way to ask for the likeliest token.
        "do_sample": (sample or temperature is not None or top_p is not None) and temperature != 0,
        "temperature": temperature,
        "top_p": top_p,
        "seed": seed,
    }
    session = import_module("adapterkit.serving.session").load(
        ref, registry=registry, device=device, quantization=quantization
    )
    conversation = Conversation(session, settings, system)
    if message is None:
        talk(conversation)
        return
    answer = conversation.ask(message)
    print_json({"lineage": str(session.lineage), "message": message, "answer": answer}) if as_json else print(answer)


@app.command(context_settings=_FORWARDED)
def train(context: typer.Context) -> None:
    """Train an adapter; everything after `train` goes to `python -m adapterkit.train`."""
    import_module("adapterkit.train").main(context.args)
