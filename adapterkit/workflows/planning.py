"""What a rebuild has to do, and in which order, before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from adapterkit.config.compose import composing
from adapterkit.config.outcome import EXPECTED, message_of
from adapterkit.errors import UnknownNameError, UsageError
from adapterkit.names import nearest
from adapterkit.registry import BROKEN, FRESH, Registry, Standing
from adapterkit.texts import in_registry
from adapterkit.workflows.own_command import asked_now, merge_now, way_out
from adapterkit.workflows.present import Present
from adapterkit.workflows.status import status

TRAINED, TAKEN, LEFT, HELD, FAILED = "trained", "taken again", "left", "held", "failed"


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild did about one adapter, or would do.

    Attributes:
        name: the adapter.
        action: `trained`; `taken again`, which was made already; `left`, where a training would only make the same
            again; `held`, after a rollback; or `failed`.
        why: what had moved on.
        ref: what it is now; null when it could not be brought up to date, and for what would be trained.
        problem: why it could not be; null when it was.
        note: what there is to know besides.
    """

    name: str
    action: str
    why: str
    ref: str | None = None
    problem: str | None = None
    note: str = ""


def planned(registry: Registry, names: Sequence[str] = ()) -> list[Rebuilt]:
    """What `rebuild` would do, parents first, without training anything.

    Raises:
        UnknownNameError: the registry holds no adapter of that name.
        RegistryError: the registry cannot be read.
    """
    found = wanted(look(registry, foreseeing=True), names)
    plan: dict[str, Rebuilt] = {}
    with composing():
        for name in in_order(found):
            plan[name] = _foreseen(found[name], plan)
    return list(plan.values())


def look(registry: Registry, *, only: Sequence[str] | None = None, foreseeing: bool = False) -> list[Standing]:
    """How all, or only some, stand, with the rows of every adapter compared whose files changed."""
    return status(registry, Present(most_read=None), only=only, foreseeing=foreseeing)


def wanted(standings: Sequence[Standing], names: Sequence[str]) -> dict[str, Standing]:
    """Those that are not simply fresh among the chosen and what they stand on; all, where none is chosen.

    Raises:
        UnknownNameError: the registry holds no adapter of that name.
    """
    known = {standing.entry.name: standing for standing in standings}
    for name in names:
        if name not in known:
            raise UnknownNameError("adapter", name, nearest(name, known), hint="See: adapterkit status")
    chosen, added = set[str](), set(names or known)
    while added:
        chosen |= added
        added = {other for name in added for other in known[name].stands_on if other in known} - chosen
    return {
        name: standing
        for name, standing in known.items()
        if name in chosen and (standing.state != FRESH or standing.held)
    }


def in_order(standings: Mapping[str, Standing]) -> list[str]:
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


def not_to_be_trained(standing: Standing, done: Mapping[str, Rebuilt]) -> Rebuilt | None:
    """What a rebuild says of one that it does not try: held, broken, or built on one that failed; else null."""
    name, why = standing.entry.name, "; ".join(map(str, standing.reasons))
    if standing.held:
        take = f"adapterkit promote {standing.wanted} --to latest"
        note = f"to take that: {in_registry(take, Path(standing.entry.path).parents[1])}"
        return Rebuilt(name, HELD, standing.held, ref=standing.entry.ref, note=note)
    if standing.state == BROKEN:
        return Rebuilt(name, FAILED, why, problem=f"it is broken ({why}): {way_out(standing.entry)}")
    failed = sorted(other for other in standing.stands_on if (was := done.get(other)) and was.problem)
    if failed:
        return Rebuilt(name, FAILED, why, problem=f"its parent {failed[-1]} could not be rebuilt")
    return None


def _foreseen(standing: Standing, plan: Mapping[str, Rebuilt]) -> Rebuilt:
    if (told := not_to_be_trained(standing, plan)) is not None:
        return told
    name, why = standing.entry.name, "; ".join(map(str, standing.reasons))
    try:
        if merge_now(standing.entry) is None:
            asked_now(standing.entry)
    except EXPECTED as error:
        return Rebuilt(name, FAILED, why, problem=message_of(error))
    if final := [reason.what for reason in (*standing.reasons, *standing.unknown) if reason.final]:
        return Rebuilt(name, FAILED, why, problem="; ".join(final))
    return Rebuilt(name, TRAINED if standing.wanted is None else TAKEN, why, ref=standing.wanted)
