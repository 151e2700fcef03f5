"""The story of a rebuild: train exactly what is stale, parents first, each as its own command would be asked now."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from adapterkit.config.compose import compose_recipe, composing
from adapterkit.config.merge_schema import MergeConfig
from adapterkit.config.outcome import EXPECTED, message_of
from adapterkit.config.run_folder import run_folder
from adapterkit.names import AdapterRef, Version
from adapterkit.registry import FRESH, Entry, Registry, Standing, given_up
from adapterkit.registry.aliases import LATEST
from adapterkit.texts import in_registry
from adapterkit.workflows.own_command import asked_now, merge_now
from adapterkit.workflows.planning import (
    FAILED,
    LEFT,
    TAKEN,
    TRAINED,
    Rebuilt,
    in_order,
    look,
    not_to_be_trained,
    wanted,
)

_log = logging.getLogger(__name__)


def rebuild(registry: Registry, names: Sequence[str] = (), *, outputs: Path, device: str = "auto") -> list[Rebuilt]:
    """Train every stale adapter again, parents before their children.

    A child is judged again after its parent was trained: a parent that came out bit for bit as it was makes nobody
    stale. One that fails leaves those alone that do not stand on it.

    Args:
        registry: the registry.
        names: only these, and what of their ancestors is stale; empty for all.
        outputs: where run directories go.
        device: where to train.

    Raises:
        UnknownNameError: the registry holds no adapter of that name.
        RegistryError: the registry cannot be read.
    """
    done: dict[str, Rebuilt] = {}
    for name in in_order(wanted(look(registry), names)):
        # The training of another took hours, perhaps, and this one is gone since.
        standing = next(iter(look(registry, only=[name])), None)
        if standing is not None and (standing.state != FRESH or standing.held):
            told = not_to_be_trained(standing, done)
            done[name] = told if told is not None else _rebuild_one(registry, standing, outputs, device)
    return list(done.values())


def _rebuild_one(registry: Registry, standing: Standing, outputs: Path, device: str) -> Rebuilt:
    entry, why = standing.entry, "; ".join(map(str, standing.reasons))
    _log.info("Rebuilding %s: %s", entry.name, why)
    try:
        run = run_folder(outputs, entry.name)
        merge = merge_now(entry)
        ref, made = _merged(merge, registry, run, device) if merge else _trained(entry, registry, run, device)
        action, note = (TRAINED, "") if made else _point_at(registry, ref)
        return Rebuilt(entry.name, action, why, ref=str(ref), note=note)
    except EXPECTED as error:
        _log.error("%s could not be rebuilt: %s", entry.name, message_of(error))
        return Rebuilt(entry.name, FAILED, why, problem=message_of(error))


def _trained(entry: Entry, registry: Registry, run: Path, device: str) -> tuple[AdapterRef, bool]:
    """What a training of today comes to, and whether there was one."""
    from adapterkit.workflows.train import train

    with composing():
        config, asked = asked_now(entry)
        config.registry, config.device, config.resume = str(registry.path), device, "auto"
        config.output_dir = str(run)
        outcome = train(config, asked=asked, compose_parent=compose_recipe)
    return outcome.artifact.ref, outcome.trained


def _merged(config: MergeConfig, registry: Registry, run: Path, device: str) -> tuple[AdapterRef, bool]:
    """What its merge comes to today, of what the refs mean now, and whether there was one."""
    from adapterkit.workflows.merge import merge

    config.registry, config.device, config.output_dir = str(registry.path), device, str(run)
    config.force = False
    outcome = merge(config)
    return outcome.artifact.ref, outcome.merged


def _point_at(registry: Registry, ref: AdapterRef) -> tuple[str, str]:
    """Let the bare name mean a version that is there already, unless somebody rolled back from it on purpose."""
    assert isinstance(ref.selector, Version)
    if registry.exact(ref.name) == ref:
        return LEFT, "a training would only make the same again, so nothing was trained"
    if ref.selector in given_up(registry.path / ref.name, registry.versions(ref.name)):
        told = f"it was made already, and {ref.name} was rolled back from it"
        return LEFT, f"{told}; to take it: {in_registry(f'adapterkit promote {ref} --to latest', registry.path)}"
    registry.promote(ref, LATEST)
    return TAKEN, "it was made already; the bare name means it again"
