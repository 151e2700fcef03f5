"""`adapterkit data inspect` and `data stats`: a training's rows, looked at before it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adapterkit.cli.completion.proposals import one_of
from adapterkit.cli.output import log_to_stderr, print_json
from adapterkit.cli.verbs.options import ConfigDir, Json, RegistryOption, TrainingWords

if TYPE_CHECKING:
    from adapterkit.config.schema import TrainConfig

data = typer.Typer(
    name="data", help="Look at the rows of a training, with the words one writes behind `train`.", no_args_is_help=True
)


@data.command()
def inspect(
    words: TrainingWords = None,
    row: Annotated[int, typer.Option("--row", min=1, help="Which row of the split, counted from 1.")] = 1,
    split: Annotated[
        str,
        typer.Option(
            "--split", help="train, validation or test.", autocompletion=one_of("train", "validation", "test")
        ),
    ] = "train",
    tokens: Annotated[bool, typer.Option("--tokens", help="List every token with its id and its label.")] = False,
    config_dir: ConfigDir = None,
    registry: RegistryOption = None,
    as_json: Json = False,
) -> None:
    """Show one row as the model sees it: what is learnt in colour, and where there is none in brackets."""
    config = _composed(words or [], config_dir, registry)
    from adapterkit.cli.views.row import plain_row, print_row
    from adapterkit.workflows.inspecting import inspect_row

    found = inspect_row(config, split, row)
    print_json(plain_row(found, tokens=tokens)) if as_json else print_row(found, tokens=tokens)


@data.command()
def stats(
    words: TrainingWords = None, config_dir: ConfigDir = None, registry: RegistryOption = None, as_json: Json = False
) -> None:
    """Count rows, tokens, learnt tokens and lengths (exit code 1: a training would refuse rows as too long)."""
    config = _composed(words or [], config_dir, registry)
    from adapterkit.cli.views.statistics import print_statistics
    from adapterkit.workflows.inspecting import data_statistics

    source, found = data_statistics(config)
    if as_json:
        print_json(_plain(source, found, config))
    else:
        print_statistics(source, found, config.data.max_length)
    if any(each.too_long for each in found):
        raise typer.Exit(1)


def _composed(words: Sequence[str], config_dir: Path | None, registry: Path | None) -> TrainConfig:
    from adapterkit.base.quiet import quiet_libraries

    quiet_libraries()
    from adapterkit.cli.verbs.composed import composed
    from adapterkit.config.compose import composing

    log_to_stderr()
    with composing():
        return composed(words, config_dir, registry)[0]


def _plain(source: str, found: Sequence[Any], config: TrainConfig) -> dict[str, Any]:
    limits = {"max_length": config.data.max_length, "on_long_row": config.data.on_long_row}
    return {"source": source, **limits, "splits": [dataclasses.asdict(each) for each in found]}
