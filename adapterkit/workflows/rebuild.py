"""The story of a rebuild: train exactly what is stale, parents first, each as its own command would be asked now."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from adapterkit.config.asked import UNASKED, Asked
from adapterkit.config.compose import compose_asked, compose_recipe, composing
from adapterkit.config.outcome import EXPECTED, message_of
from adapterkit.config.redaction import REDACTED
from adapterkit.config.schema import TrainConfig
from adapterkit.errors import UnknownNameError, UsageError
from adapterkit.names import AdapterRef, nearest
from adapterkit.registry import BROKEN, FRESH, STALE, Registry, Standing
from adapterkit.registry.aliases import LATEST, ROLLBACK, last_move
from adapterkit.workflows.present import Present, asked_of
from adapterkit.workflows.recorded import recorded_config
from adapterkit.workflows.status import status

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild did about one stale adapter.

    Attributes:
        name: the adapter.
        why: what had moved on.
        ref: what it is now; null when it could not be brought up to date.
        problem: why it could not be; null when it was.
        note: what there is to know besides.
    """

    name: str
    why: str
    ref: str | None = None
    problem: str | None = None
    note: str = ""


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
    for name in _in_order(_wanted(_look(registry), names)):
        standing = next(found for found in _look(registry) if found.entry.name == name)
        if standing.state == STALE:
            done[name] = _rebuild_one(registry, standing, done, outputs / name, device)
        elif standing.state == BROKEN:
            why = "; ".join(map(str, standing.reasons))
            done[name] = Rebuilt(name, why, problem=f"it is broken ({why}): train it again by its own command")
    return list(done.values())


def planned(registry: Registry, names: Sequence[str] = ()) -> list[Standing]:
    """What `rebuild` would look at, parents first, without training anything.

    Raises:
        UnknownNameError: the registry holds no adapter of that name.
        RegistryError: the registry cannot be read.
    """
    found = _wanted(_look(registry), names)
    return [found[name] for name in _in_order(found)]


def _wanted(standings: Sequence[Standing], names: Sequence[str]) -> dict[str, Standing]:
    """The stale and the broken ones among the chosen and what they stand on."""
    known = {standing.entry.name: standing for standing in standings}
    for name in names:
        if name not in known:
            raise UnknownNameError("adapter", name, nearest(name, known), hint="See: adapterkit status")
    chosen, added = set[str](), set(names or known)
    while added:
        chosen |= added
        added = {other for name in added for other in known[name].stands_on if other in known} - chosen
    return {name: standing for name, standing in known.items() if name in chosen and standing.state != FRESH}


def _in_order(standings: Mapping[str, Standing]) -> list[str]:
    """Parents before their children, by what each would be built on now.

    Raises:
        UsageError: adapters stand on each other in a circle.
    """
    graph = {
        name: sorted((standing.stands_on & standings.keys()) - {name}) for name, standing in sorted(standings.items())
    }
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise UsageError(f"These stand on each other in a circle: {', '.join(sorted(set(error.args[1])))}.") from error


def _look(registry: Registry) -> list[Standing]:
    """How all stand, with the rows of every adapter compared whose files changed."""
    return status(registry, Present(most_read=None))


def _rebuild_one(
    registry: Registry, standing: Standing, done: Mapping[str, Rebuilt], outputs: Path, device: str
) -> Rebuilt:
    from adapterkit.workflows.train import train

    entry, why = standing.entry, "; ".join(map(str, standing.reasons))
    failed = sorted(name for name in standing.stands_on if (was := done.get(name)) and was.problem)
    if failed:
        return Rebuilt(entry.name, why, problem=f"its parent {failed[-1]} could not be rebuilt")
    _log.info("Rebuilding %s: %s", entry.name, why)
    try:
        with composing():
            config, asked = _config_of(standing)
            config.registry, config.device = str(registry.path), device
            config.output_dir = str(outputs / datetime.now().strftime("%Y-%m-%d_%H-%M-%S"))
            _require_name(config, entry.name)
            outcome = train(config, asked=asked, compose_parent=compose_recipe)
    except EXPECTED as error:
        _log.error("%s could not be rebuilt: %s", entry.name, message_of(error))
        return Rebuilt(entry.name, why, problem=message_of(error))
    note = "" if outcome.trained else _point_at(registry, outcome.artifact.ref)
    return Rebuilt(entry.name, why, ref=str(outcome.artifact.ref), note=note)


def _require_name(config: TrainConfig, name: str) -> None:
    if (made := config.name + config.suffix) != name:
        raise UsageError(
            f"The command of '{name}' makes '{made}' now. Train that by its own command, and retire '{name}'."
        )


def _point_at(registry: Registry, ref: AdapterRef) -> str:
    """Let the bare name mean a version that is there already, unless somebody rolled back from it on purpose."""
    move = last_move(registry.path / ref.name, LATEST)
    if move is not None and move.action == ROLLBACK and registry.versions(ref.name)[-1] <= move.highest:
        return f"it was made already, and {ref.name} was rolled back; to take it: adapterkit promote {ref} --to latest"
    registry.promote(ref, LATEST)
    return "it was made already; the bare name means it again"


def _config_of(standing: Standing) -> tuple[TrainConfig, Asked]:
    """What the adapter's command asks for now; where no command was recorded, what it was trained from."""
    recipe = standing.entry.plain.get("recipe")
    if recipe is None or not recipe["sources"]:
        return recorded_config(Path(standing.entry.path)), UNASKED
    if any(REDACTED in word for word in recipe["overrides"]):
        raise UsageError(
            f"{standing.entry.ref} was asked for with a secret, which is not kept: give its command again."
        )
    composition = compose_asked(asked_of(recipe))
    return composition.config, composition.asked
