"""Verbs that bring a model to life: chat, train. Only they import deep-learning libraries, once they are called."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from adapterkit.cli.options import Json, Keys, Ref, RegistryOption
from adapterkit.errors import UsageError


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
    keys: Keys = None,
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
        ref, registry=registry, device=device, quantization=quantization, keys=keys or ()
    )
    conversation = Conversation(session, settings, system)
    if message is None:
        talk(conversation)
        return
    answer = conversation.ask(message)
    print_json({"lineage": str(session.lineage), "message": message, "answer": answer}) if as_json else print(answer)


def train(context: typer.Context) -> None:
    """Train an adapter; everything after `train` goes to `python -m adapterkit.train`."""
    import_module("adapterkit.train").main(context.args)


def rebuild(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Only these and their parents.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be trained, and train nothing.")] = False,
    outputs: Annotated[Path, typer.Option("--outputs", help="Where run directories go.")] = Path("outputs"),
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, ...")] = "auto",
    registry: RegistryOption = None,
    as_json: Json = False,
) -> None:
    """Train again exactly what is stale, parents first, each as its own command would ask for it now."""
    from adapterkit.base.quiet import quiet_libraries
    from adapterkit.cli.retraining import log_to_stderr, print_plan, print_rebuilt
    from adapterkit.registry import Registry
    from adapterkit.workflows.rebuild import planned
    from adapterkit.workflows.rebuild import rebuild as rebuild_stale

    quiet_libraries()
    log_to_stderr()
    shelf = Registry(registry)
    if dry_run:
        print_plan(planned(shelf, names or ()), as_json)
        return
    done = rebuild_stale(shelf, names or (), outputs=outputs, device=device)
    print_rebuilt(done, as_json)
    if any(each.problem for each in done):
        raise typer.Exit(1)


def reproduce(
    ref: Ref,
    device: Annotated[str | None, typer.Option("--device", help="Default: as it was recorded.")] = None,
    keep: Annotated[Path | None, typer.Option("--keep", help="A new folder for the run, to look at later.")] = None,
    registry: RegistryOption = None,
    as_json: Json = False,
) -> None:
    """Train an adapter again from what it records, in a fresh process, and compare every bit (exit code 1: unequal)."""
    from adapterkit.cli.retraining import log_to_stderr, print_reproduction
    from adapterkit.registry import Registry
    from adapterkit.workflows.reproduce import reproduce as train_again

    log_to_stderr()
    found = train_again(Registry(registry), ref, device=device, keep=keep)
    print_reproduction(found, as_json)
    if not found.identical:
        raise typer.Exit(1)


def import_folder(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A LoRA folder that PEFT wrote.")],
    name: Annotated[str, typer.Option("--name", help="The adapter's name from now on.")],
    quantization: Annotated[
        str, typer.Option("--quantization", help="How the base was held in training: nf4, int8, bf16 or fp32.")
    ],
    base: Annotated[str | None, typer.Option("--base", help="Default: what adapter_config.json names.")] = None,
    revision: Annotated[str | None, typer.Option("--revision", help="Of the base, on the hub.")] = None,
    parent: Annotated[list[str] | None, typer.Option("--parent", help="What it was trained on top of.")] = None,
    description: Annotated[str, typer.Option("--description")] = "",
    registry: RegistryOption = None,
    as_json: Json = False,
) -> None:
    """Publish a LoRA folder that PEFT wrote, its base and parents stated. The folder stays as it is."""
    from adapterkit.base.quiet import quiet_libraries
    from adapterkit.cli.output import print_json
    from adapterkit.registry import Registry

    quiet_libraries()
    story = import_module("adapterkit.workflows.adopt")
    request = story.ImportRequest(folder, name, base, quantization, tuple(parent or ()), revision, description)
    published = story.adopt(Registry(registry), request)
    ref, path = str(published.manifest.ref), str(published.path)
    if as_json:
        print_json({"ref": ref, "path": path, "new": published.new, "lineage": str(published.manifest.lineage)})
    else:
        print(f"{'Imported as' if published.new else 'Already imported as'} {ref}: {path}")


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
