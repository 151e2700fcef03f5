"""`adapterkit estimate`: what a training would come to, before it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from adapterkit.cli.output import log_to_stderr, print_json, print_pairs, printable
from adapterkit.cli.verbs.options import ConfigDir, Json, RegistryOption, TrainingWords

if TYPE_CHECKING:
    from adapterkit.training.estimate import Estimate


def estimate(
    words: TrainingWords = None,
    config_dir: ConfigDir = None,
    registry: RegistryOption = None,
    as_json: Json = False,
) -> None:
    """Say what a training would come to, with the words one writes behind `train`; no weight is loaded."""
    from adapterkit.cli.verbs.composed import composed
    from adapterkit.config.compose import compose_recipe, composing

    with composing():
        config, asked = composed(words or [], config_dir, registry)
        from adapterkit.base.quiet import quiet_libraries

        # What follows brings PEFT and bitsandbytes, which are told to be quiet.
        quiet_libraries()
        from adapterkit.workflows.estimating import estimate as foresee

        log_to_stderr()
        found = foresee(config, asked=asked, compose_parent=compose_recipe)
    if as_json:
        print_json([_plain(each) for each in found])
        return
    for index, each in enumerate(found):
        if index:
            print()
        print(printable(f"{each.name}:"))
        print_pairs(each.told())
        if each.suggestion is not None:
            print(each.suggestion)


def _plain(found: Estimate) -> dict[str, Any]:
    peak = {"peak": found.memory.peak}
    plain = dataclasses.asdict(found)
    return {
        **plain,
        "memory": peak | plain["memory"],
        "suggested_alpha": found.suggested_alpha,
        "suggestion": found.suggestion,
    }
