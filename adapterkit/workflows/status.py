"""The story of a status: every adapter of a registry, and whether it is what a training would make today."""

from __future__ import annotations

from adapterkit.registry import Registry, Standing, judge, without_collector
from adapterkit.workflows.present import Present


@without_collector()
def status(registry: Registry, present: Present | None = None, *, foreseeing: bool = False) -> list[Standing]:
    """How every adapter stands: fresh, stale or broken, with reasons. Manifests are read, no weights.

    Args:
        registry: the registry.
        present: what earlier looks found out, to be used again; null for a fresh look at everything.
        foreseeing: look for what a stale one wants among all its versions, and judge its children by that one.

    Raises:
        RegistryError: the folder cannot be listed.
    """
    with present or Present() as now:
        probes = (now.recipe, now.base, now.data)
        return judge(registry.survey(), lambda name: registry.path / name, probes, foreseeing=foreseeing)
