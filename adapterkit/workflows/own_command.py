"""The command that made an adapter: what it asks for now, and how it is given again."""

from __future__ import annotations

from pathlib import Path

from adapterkit.config.asked import UNASKED, Asked
from adapterkit.config.compose import compose_asked
from adapterkit.config.merge_schema import MergeConfig
from adapterkit.config.redaction import REDACTED
from adapterkit.config.schema import TrainConfig
from adapterkit.errors import UsageError
from adapterkit.manifest import IMPORTED, MergeRecord
from adapterkit.merging.methods import METHODS
from adapterkit.registry import Entry
from adapterkit.texts import trained_in
from adapterkit.workflows.present import asked_of
from adapterkit.workflows.recorded import recorded_config, recorded_merge, require_whole

_IMPORT = "import it again: adapterkit import FOLDER --name NAME --quantization KIND --base BASE --parent PARENT"


def asked_now(entry: Entry) -> tuple[TrainConfig, Asked]:
    """What the adapter's command asks for now; where no command was recorded, what it was trained from.

    Raises:
        UsageError: it was asked for with a secret, or its command makes another adapter now.
        AdapterKitError: nothing is recorded that could be trained.
        HydraException: it cannot be composed any more; OmegaConf and the disk raise theirs.
    """
    config, asked = _config_of(entry)
    if (made := config.full_name) != entry.name:
        raise UsageError(
            f"The command of '{entry.name}' makes '{made}' now. Train that by its own command, and retire "
            f"'{entry.name}'."
        )
    return config, asked


def merge_now(entry: Entry) -> MergeConfig | None:
    """The merge that made an adapter; null for what was trained, imported or flattened.

    Raises:
        ArtifactError: its config cannot be read.
    """
    merge = entry.glance.merge if entry.glance is not None else None
    if not isinstance(merge, MergeRecord) or merge.method not in METHODS:
        return None
    return recorded_merge(Path(entry.path))


def way_out(entry: Entry) -> str:
    """How one that is broken is made again."""
    if entry.glance is None:
        return f"{entry.problem}, so nobody knows its command: bring its files back, or move {entry.path} away"
    if _is_imported(entry):
        return _IMPORT
    if isinstance(entry.glance.merge, MergeRecord):
        return f"it was made by {entry.glance.merge.method}: bring its files back, or make it again as it was made"
    if entry.recipe is None:
        return "no training is recorded: bring its files back, or make it again as it was made"
    command = trained_in(Path(entry.path).parents[1], entry.recipe.command_line)
    return f"train it again: {command}" if command else "train it again as it was, from Python: no command is recorded"


def _is_imported(entry: Entry) -> bool:
    return entry.glance is not None and entry.readable.data.source == IMPORTED


def _config_of(entry: Entry) -> tuple[TrainConfig, Asked]:
    recipe = entry.recipe
    if _is_imported(entry):
        raise UsageError(f"{entry.ref} was imported, and nobody here knows how it was trained: {_IMPORT}")
    if recipe is None or not recipe.sources:
        config = recorded_config(Path(entry.path))
        require_whole(config, entry.ref)
        return config, UNASKED
    if any(REDACTED in word for word in recipe.overrides):
        raise UsageError(f"{entry.ref} was asked for with a secret, which is not kept: give its command again.")
    composition = compose_asked(asked_of(recipe))
    return composition.config, composition.asked
