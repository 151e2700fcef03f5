"""`adapterkit presets`: what may be chosen with `adapter=` and `trainer=`."""

from __future__ import annotations

import dataclasses

from adapterkit.cli.options import Json

_ADAPTERS = (
    "adapter=", "rank", "alpha", "dropout", "on", "epochs", "rate", "steps at most", "MB at most", "intended use"
)  # fmt: skip
_TRAINERS = "trainer=", "epochs", "rate", "batch", "for"
_PROPOSED = "adapter's"


def presets(as_json: Json = False) -> None:
    """List the presets of adapters and trainers, with the training that each proposes."""
    from adapterkit.cli.output import print_json, print_table
    from adapterkit.presets import adapters, trainers

    if as_json:
        found = [dataclasses.asdict(each) for each in adapters()], [dataclasses.asdict(each) for each in trainers()]
        print_json(dict(zip(("adapter", "trainer"), found, strict=True)))
        return
    print_table(
        _ADAPTERS,
        [
            (
                each.name, str(each.r), f"{each.lora_alpha:g}", f"{each.lora_dropout:g}", _targets(each.target_modules),
                f"{each.epochs:g}", f"{each.learning_rate:g}", _or_any(each.max_steps), _or_any(each.max_artifact_mb),
                each.intended_use,
            )
            for each in adapters()
        ],
    )  # fmt: skip
    print()
    print_table(
        _TRAINERS,
        [
            (each.name, _or_proposed(each.epochs), _or_proposed(each.learning_rate), str(each.batch_size), each.purpose)
            for each in trainers()
        ],
    )
    print(f"\n{_PROPOSED}: as the adapter preset proposes; trainer.KEY=VALUE goes before both. See docs/presets.md")


def _targets(targets: str | tuple[str, ...]) -> str:
    return targets if isinstance(targets, str) else ", ".join(targets)


def _or_any(value: float | None) -> str:
    return "any" if value is None else f"{value:g}"


def _or_proposed(value: float | None) -> str:
    return _PROPOSED if value is None else f"{value:g}"
