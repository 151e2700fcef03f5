"""Find the lineage a training stands on; a missing parent with a known recipe is trained first."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from adapterkit.artifacts.read import Artifact
from adapterkit.config.asked import Asked
from adapterkit.config.groups import quantization_said
from adapterkit.config.schema import TrainConfig
from adapterkit.errors import AdapterKitError, BaseMismatchError, RefNotFoundError, UsageError
from adapterkit.lineage import MAX_LINEAGE, BaseIdentity
from adapterkit.manifest import Manifest
from adapterkit.names import AdapterRef
from adapterkit.registry.registry import Registry

_log = logging.getLogger(__name__)

TRAINED, MERGED, FLATTENED = "trained", "merged", "flattened"
# The method of a flattening, as its manifest tells it.
FLATTEN = "flatten"

Composed = tuple[TrainConfig, Asked]
ComposeParent = Callable[[str, TrainConfig, Asked], Composed | None]


class Train(Protocol):
    """The story of one training, which tells the one of its parent first."""

    def __call__(self, config: TrainConfig, *, asked: Asked, compose_parent: ComposeParent | None) -> object:
        """Train and publish."""


def resolve_parents(
    config: TrainConfig,
    asked: Asked,
    registry: Registry,
    compose_parent: ComposeParent | None,
    train: Train,
) -> list[Artifact]:
    """The frozen lineage below a training, root-first; empty for one on the bare base.

    Args:
        config: the training.
        asked: how it was asked for.
        registry: where parents are published.
        compose_parent: gives the config of a recipe, with the child's base, data and registry, and how it is asked for.
        train: trains a parent that is missing.

    Raises:
        RefNotFoundError: the parent is not published, and no recipe makes it.
    """
    if config.parent is None:
        return []
    ref = AdapterRef.parse(config.parent)
    try:
        return registry.lineage_artifacts(ref)
    except RefNotFoundError:
        parent = recipe_for(ref, config, asked, compose_parent)
        if parent is None:
            raise
        _log.info(
            "The parent '%s' is not published yet: training it first, by the settings of its recipe %s",
            ref,
            config.parent_recipe,
        )
        train(parent[0], asked=parent[1], compose_parent=compose_parent)
        return registry.lineage_artifacts(ref)


def require_known(config: TrainConfig, asked: Asked, registry: Registry, compose_parent: ComposeParent | None) -> None:
    """Demand that the parent is published, or that a recipe makes it, before the rows are read.

    Raises:
        RefNotFoundError: neither is so.
    """
    if config.parent is None:
        return
    ref = AdapterRef.parse(config.parent)
    try:
        registry.exact(ref)
    except RefNotFoundError:
        if recipe_for(ref, config, asked, compose_parent) is None:
            raise


def require_base(parents: Sequence[Artifact], identity: BaseIdentity) -> None:
    """Demand, before the base is loaded, that every parent was trained on it as it is held now.

    Raises:
        BaseMismatchError: one was not.
    """
    for parent in parents:
        if reasons := identity.differs_from(parent.manifest.lineage.base):
            name = parent.manifest.name
            raise BaseMismatchError(
                f"{parent.manifest.ref} was trained on another base: {'; '.join(reasons)}. Train on the base it names, "
                "or give this base a parent of its own: where a recipe names the parent, data.unified="
                f"{name}_{quantization_said(identity.quantization)}, which is trained first when it is missing; else "
                "parent=REF"
            )


def require_own_name(name: str, refs: Iterable[AdapterRef], other: str, *, does: str = "be made of") -> None:
    """Demand that an adapter does not bear the name of what it comes from.

    Args:
        name: the adapter's.
        refs: what it comes from.
        other: how to say another name, for the message.
        does: what it would do with them, for the message.

    Raises:
        UsageError: it does: what stands on that name would come to stand on what was made of it, a circle.
    """
    if own := [ref for ref in refs if ref.name == name]:
        raise UsageError(
            f"'{name}' would {does} {own[0]}, an earlier version of itself, and every new version would make the one "
            f"before it stale. Give it a name of its own: {other}"
        )


def require_same_kind(registry: Registry, name: str, kind: str, other: str) -> None:
    """Demand that a name goes on to mean what it means: trained, merged or flattened, each stays so.

    Args:
        registry: where the name may be.
        name: the adapter's.
        kind: `TRAINED`, `MERGED` or `FLATTENED`, which the new version would be.
        other: how to say another name, for the message.

    Raises:
        UsageError: it means an adapter of another kind, whose users and children would get this one.
    """
    try:
        before = registry.manifest(name)
    except AdapterKitError:
        return
    if (was := kind_of(before)) != kind:
        raise UsageError(
            f"{before.ref} was {was}, and every bare '{name}' would mean one that was {kind}. Give it a name of its "
            f"own: {other}"
        )


def kind_of(manifest: Manifest) -> str:
    """How an adapter came to be: `TRAINED`, which one that was imported counts as, `MERGED` or `FLATTENED`."""
    if manifest.merge is None:
        return TRAINED
    return FLATTENED if manifest.merge.method == FLATTEN else MERGED


def require_room(parents: Sequence[Artifact], name: str) -> None:
    """Demand that one more adapter, of this name, may stand on the parents.

    Raises:
        UsageError: the lineage is as long as it may be, or has a version of this very adapter in it.
    """
    require_own_name(name, [parent.ref for parent in parents], f"name={name}_on_top", does="stand on")
    if len(parents) >= MAX_LINEAGE:
        raise UsageError(
            f"{parents[-1].manifest.ref} has {len(parents) - 1} ancestors, and {MAX_LINEAGE} members are the most. "
            f"Train on an earlier one: parent={parents[-2].manifest.ref}"
        )


def recipe_for(
    ref: AdapterRef, config: TrainConfig, asked: Asked, compose_parent: ComposeParent | None
) -> Composed | None:
    """The config that publishes exactly this ref, if the child names a recipe for it."""
    if ref.selector is not None or config.parent_recipe is None or compose_parent is None:
        return None
    parent = compose_parent(config.parent_recipe, config, asked)
    return parent if parent is not None and parent[0].full_name == ref.name else None
