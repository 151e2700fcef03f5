"""`adapterkit presets`: what may be chosen with `adapter=` and `trainer=`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated

import typer

from adapterkit.cli.completion import proposals
from adapterkit.cli.verbs.options import Json

if TYPE_CHECKING:
    from adapterkit.presets import AdapterPreset, TrainerPreset

_ADAPTERS = (
    "adapter=", "rank", "alpha", "dropout", "on", "epochs", "rate", "steps at most", "MB at most", "intended use"
)  # fmt: skip
_TRAINERS = "trainer=", "epochs", "rate", "batch", "for"
_PROPOSED = "adapter's"


def presets(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Only the presets of that name.", autocompletion=proposals.presets),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the presets of adapters and trainers, with the training that each proposes; or show those of one name."""
    from adapterkit.cli.output import print_json
    from adapterkit.presets import adapters, named, trainers

    found = (adapters(), trainers()) if name is None else named(name)
    if as_json:
        plain = ([dataclasses.asdict(each) for each in group] for group in found)
        print_json(dict(zip(("adapter", "trainer"), plain, strict=True)))
    elif name is None:
        _print_tables(*found)
    else:
        _print_each(*found)


def _print_tables(adapters: list[AdapterPreset], trainers: list[TrainerPreset]) -> None:
    from adapterkit.cli.output import print_table

    print_table(
        _ADAPTERS,
        [
            (
                each.name, str(each.r), f"{each.lora_alpha:g}", f"{each.lora_dropout:g}", _told(each.target_modules),
                f"{each.epochs:g}", f"{each.learning_rate:g}", _or_any(each.max_steps), _or_any(each.max_artifact_mb),
                each.intended_use,
            )
            for each in adapters
        ],
    )  # fmt: skip
    print()
    print_table(
        _TRAINERS,
        [
            (each.name, _or_proposed(each.epochs), _or_proposed(each.learning_rate), str(each.batch_size), each.purpose)
            for each in trainers
        ],
    )
    print(f"\n{_PROPOSED}: as the adapter preset proposes; trainer.KEY=VALUE goes before both. See docs/presets.md")


def _print_each(adapters: list[AdapterPreset], trainers: list[TrainerPreset]) -> None:
    """Every key of them, as one sets it."""
    from adapterkit.cli.output import print_pairs
    from adapterkit.presets import TrainerPreset, further

    shown: list[tuple[str, AdapterPreset | TrainerPreset, str]] = [("adapter", each, "null") for each in adapters]
    shown += [("trainer", each, _PROPOSED) for each in trainers]
    for position, (group, each, null) in enumerate(shown):
        print("\n" * bool(position) + f"{group}={each.name}")
        keys = [field.name for field in dataclasses.fields(each) if field.name != "name"]
        pairs = {key: getattr(each, key) for key in keys}
        if isinstance(each, TrainerPreset):
            pairs |= further(each)
        print_pairs((key, _told(value, null)) for key, value in pairs.items())


def _told(value: object, null: str = "null") -> str:
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, bool):
        return str(value).lower()
    return null if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _or_any(value: float | None) -> str:
    return "any" if value is None else f"{value:g}"


def _or_proposed(value: float | None) -> str:
    return _PROPOSED if value is None else f"{value:g}"
