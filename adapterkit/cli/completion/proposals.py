"""What a shell may propose in the place of an argument, or of an option's value.

Each function returns whole words that begin with what was typed. What it needs is imported when it is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import typer


def refs(ctx: typer.Context, incomplete: str) -> list[str]:
    """Refs of the registry: names first; of a single one its versions and aliases, too."""
    from adapterkit.cli.completion.held import held_refs

    return held_refs(_registry(ctx), incomplete)


def names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of published adapters."""
    from adapterkit.cli.completion.held import held_names

    return held_names(_registry(ctx), incomplete)


def aliases(ctx: typer.Context, incomplete: str) -> list[str]:
    """Aliases that an adapter of the registry has; `production` need not be there yet."""
    from adapterkit.cli.completion.held import held_aliases

    return _begun(incomplete, sorted({"production", *held_aliases(_registry(ctx), incomplete)}))


def presets(incomplete: str) -> list[str]:
    """Presets of adapters and trainers."""
    from adapterkit.config.groups import names_in

    return _begun(incomplete, sorted({*names_in("adapter"), *names_in("trainer")}))


def quantizations(incomplete: str) -> list[str]:
    """Ways to hold a base."""
    from adapterkit.config.groups import names_in

    return _begun(incomplete, names_in("quantization"))


def training_words(ctx: typer.Context, incomplete: str) -> list[str]:
    """Words behind `adapterkit train`."""
    return _words("train", ctx, incomplete)


def merging_words(ctx: typer.Context, incomplete: str) -> list[str]:
    """Words behind `adapterkit merge`."""
    return _words("merge", ctx, incomplete)


def one_of(*known: str) -> Callable[[str], list[str]]:
    """What proposes the same words everywhere."""

    def proposed(incomplete: str) -> list[str]:
        return _begun(incomplete, known)

    return proposed


devices = one_of("auto", "cpu", "cuda")


def _words(door: str, ctx: typer.Context, incomplete: str) -> list[str]:
    from adapterkit.cli.completion.hydra_words import Line

    return list(
        Line(door, ctx.params.get("words") or (), _registry(ctx), ctx.params.get("config_dir")).goes_on(incomplete)
    )


def _registry(ctx: typer.Context) -> Path | None:
    return ctx.params.get("registry")


def _begun(incomplete: str, known: Iterable[str]) -> list[str]:
    return [each for each in known if each.startswith(incomplete)]
