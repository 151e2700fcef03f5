"""The words of a training, given to a verb that only looks at what it would do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from adapterkit.errors import AdapterKitError, UsageError

if TYPE_CHECKING:
    from adapterkit.config.asked import Asked
    from adapterkit.config.schema import TrainConfig


def composed(words: Sequence[str], config_dir: Path | None, registry: Path | None) -> tuple[TrainConfig, Asked]:
    """The config that the words behind `train` mean, and how it is asked for; inside `composing`.

    Its values, and whose rows it names, are checked here: libraries, which take seconds to import, come after.

    Args:
        words: overrides in Hydra's grammar.
        config_dir: the user's own folder of configs.
        registry: goes before what the words say; null: as they say.

    Raises:
        AdapterKitError: the words are wrong, or name a file, persona or style that is not there.
    """
    from adapterkit.config.asked import quoted
    from adapterkit.config.compose import compose_command
    from adapterkit.config.outcome import EXPECTED, message_of
    from adapterkit.workflows.usable import usable

    chosen = [f"registry={quoted(str(registry))}"] if registry else []
    try:
        config, asked = compose_command([*words, *chosen], config_dir)
    except EXPECTED as error:
        if isinstance(error, AdapterKitError):
            raise
        raise UsageError(message_of(error)) from error
    return usable(config), asked
