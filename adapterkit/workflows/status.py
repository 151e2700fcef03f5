"""The story of a status: every adapter of a registry, and whether it is what a training would make today."""

from __future__ import annotations

from collections.abc import Sequence

from adapterkit.registry import Registry, Standing, judge, without_collector
from adapterkit.workflows.present import Present


@without_collector()
def status(
    registry: Registry,
    present: Present | None = None,
    *,
    only: Sequence[str] | None = None,
    foreseeing: bool = False,
) -> list[Standing]:
    """How every adapter stands: fresh, stale or broken, with reasons. Manifests are read, no weights.

    Args:
        registry: the registry.
        present: what they are compared with; null: the present as a fresh look finds it.
        only: the names of those to judge; one that is not there is left out. Null: all.
        foreseeing: look for what a stale one wants among all its versions, and judge its children by that one.

    Raises:
        RegistryError: the folder cannot be listed.
    """
    with present or Present() as now:
        probes = (now.recipe, now.base, now.data)
        return judge(registry.survey(), registry.path, probes, only=only, foreseeing=foreseeing)
