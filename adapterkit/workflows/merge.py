"""The story of a merge: from a typed config to a published, verified adapter made of others."""

from __future__ import annotations

from dataclasses import dataclass

from adapterkit.artifacts import Artifact
from adapterkit.config.merge_schema import MergeConfig
from adapterkit.names import check_name
from adapterkit.workflows import say_merge
from adapterkit.workflows.merge_plan import plan_merge


@dataclass(frozen=True)
class MergeOutcome:
    """What a merge leaves behind.

    Attributes:
        artifact: the published adapter.
        merged: False when an identical, verified one already stood in the registry.
    """

    artifact: Artifact
    merged: bool


def merge(config: MergeConfig) -> MergeOutcome:
    """Merge published adapters of one base into one, and publish it with its evidence.

    Args:
        config: the whole of the merge.

    Raises:
        AdapterKitError: anything a user can cause; nothing is published then.
    """
    name = check_name(config.full_name, said_as="name=")
    plan = plan_merge(name, config)
    if not config.force and (existing := plan.registry.find_run_key(name, plan.key)) is not None:
        say_merge.already_there(existing, plan.registry)
        return MergeOutcome(existing, False)
    # Brings the libraries of models, which a merge that is refused, or there already, can do without.
    from adapterkit.workflows.merge_making import make

    return MergeOutcome(make(plan), True)
