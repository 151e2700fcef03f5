"""All that a merge decides before anything large is loaded: sources, whether they fit, weights, and its run key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from adapterkit.artifacts import Artifact
from adapterkit.base.device import resolve_device
from adapterkit.config.merge_schema import PERFORMANCE, MergeConfig
from adapterkit.digest import json_digest
from adapterkit.errors import UnknownNameError, UsageError
from adapterkit.lineage import BaseIdentity
from adapterkit.merging.asked import checked
from adapterkit.merging.compatibility import compatibility
from adapterkit.merging.methods import Masked, method_named
from adapterkit.merging.options import MergeOptions, On
from adapterkit.merging.performance import MeasuredLoss, weights_by_gain
from adapterkit.names import AdapterRef, nearest
from adapterkit.registry import Registry
from adapterkit.workflows.combined import stored_dtype
from adapterkit.workflows.held_out import Text, given_text
from adapterkit.workflows.parents import MERGED, require_own_name, require_room, require_same_kind

# Raise it when the same merge would come to other weights than before.
MERGE_SCHEMA = 1


@dataclass(frozen=True)
class MergePlan:
    """One merge, decided and not begun.

    Attributes:
        name: the result's, with its suffix.
        config: the whole of the merge.
        registry: where it is published.
        sources: what is merged, in order.
        parents: what all of them stand on, root-first, and the result will.
        options: how; where weights are yet to be measured, equal ones stand for them.
        text: what all sources are measured on; null: each on its own.
    """

    name: str
    config: MergeConfig
    registry: Registry
    sources: Sequence[Artifact]
    parents: Sequence[Artifact]
    options: MergeOptions
    text: Text | None

    @property
    def measured_weights(self) -> bool:
        """Whether the weights follow from losses that are yet to be measured."""
        return self.config.weights == PERFORMANCE and self.text is not None

    @property
    def key(self) -> str:
        """The run key."""
        return _run_key(self)

    @property
    def identity(self) -> BaseIdentity:
        """The base of all of them."""
        return self.sources[0].manifest.lineage.base

    @property
    def dtype(self) -> str:
        """Torch's name of the dtype of the stored weights."""
        return stored_dtype(self.config.dtype)

    @property
    def weighed_by(self) -> str | None:
        """`performance`, where nobody gave the weights."""
        return PERFORMANCE if self.config.weights == PERFORMANCE else None

    @property
    def counted(self) -> dict[str, Any]:
        """The options that decide the result; what the method does not look at is left out."""
        return _counted(self.options, self.dtype)

    def weighed(self, measured: Sequence[MeasuredLoss]) -> MergePlan:
        """The same with the weights that follow from losses; a ten-thousandth of a nat is the least that counts.

        Raises:
            UsageError: an adapter was not measured, or lowers nothing.
        """
        if not self.measured_weights:
            return self
        weights = weights_by_gain(
            [MeasuredLoss(each.ref, *map(_rounded, (each.before, each.after))) for each in measured]
        )
        return replace(self, options=replace(self.options, weights=weights))


def plan_merge(name: str, config: MergeConfig) -> MergePlan:
    """Decide on a merge; adapters are read and verified, and no base.

    Raises:
        UsageError: what is asked makes no sense.
        RefNotFoundError: an adapter, or an ancestor of one, is not published.
        ArtifactError: one is damaged.
        StackError: they cannot be merged with each other.
        DataError: the rows that they are to be measured on cannot be read.
    """
    refs = [AdapterRef.parse(ref) for ref in config.adapters]
    options = options_of(config)
    checked(options, len(refs))
    _check_values(config, name, refs)
    registry = Registry(Path(config.registry))
    registry.require_writable(name)
    require_same_kind(registry, name, MERGED, f"name={name}_merged")
    chains = [registry.lineage_artifacts(ref) for ref in refs]
    sources, parents = [chain[-1] for chain in chains], chains[0][:-1]
    compatibility(sources, on=config.on).require()
    require_room(parents, name)
    text = None if config.data is None else given_text(config.data)
    if config.weights == PERFORMANCE and text is None:
        options = replace(options, weights=weights_by_gain([_recorded(each) for each in sources]))
    return MergePlan(name, config, registry, sources, parents, options, text)


def options_of(config: MergeConfig) -> MergeOptions:
    """How a config wants adapters merged; where weights follow from something else, equal ones stand for them.

    Raises:
        UsageError: weights or rank are of a kind that they cannot be.
    """
    rank = config.rank
    if isinstance(rank, bool) or not isinstance(rank, int | str):
        raise UsageError(f"rank={rank}: give a number, 1 at least, or `largest` or `sum`.")
    options = MergeOptions(
        config.method.name,
        _weights(config),
        normalize=config.normalize,
        scale=config.scale,
        seed=config.seed,
        on=cast(On, config.on),
        rank=cast(Any, rank),
    )
    return options if config.density is None else replace(options, density=config.density)


def _weights(config: MergeConfig) -> tuple[float, ...]:
    given, count = config.weights, len(config.adapters)
    if given is None or given == PERFORMANCE:
        return (1 / count,) * count if count else ()
    if isinstance(given, str):
        raise UnknownNameError(
            "weights", given, nearest(given, [PERFORMANCE]), hint=f"Write weights=[...], null or {PERFORMANCE}."
        )
    entries = given if isinstance(given, list | tuple) else [given]
    if wrong := [each for each in entries if isinstance(each, bool) or not isinstance(each, int | float)]:
        raise UsageError(f"weights={given}: {wrong[0]!r} is no number. Write one for each adapter: weights=[0.7,0.3]")
    return tuple(float(each) for each in entries)


def _check_values(config: MergeConfig, name: str, refs: Sequence[AdapterRef]) -> None:
    """What the types cannot say, and no other check does."""
    stored_dtype(config.dtype)
    resolve_device(config.device)
    held = config.held_out
    if held.batch_size < 1 or (held.max_rows is not None and held.max_rows < 2):
        raise UsageError("held_out.batch_size takes a number from 1 on, held_out.max_rows one from 2 on, or null.")
    require_own_name(name, refs, f"name={name}_merged")


def _recorded(source: Artifact) -> MeasuredLoss:
    metrics = source.manifest.metrics
    return MeasuredLoss(str(source.ref), metrics.get("test_loss_before"), metrics.get("test_loss"))


def _rounded(loss: float | None) -> float | None:
    return None if loss is None else round(loss, 4)


def _counted(options: MergeOptions, dtype: str) -> dict[str, Any]:
    method = method_named(options.method)
    told: dict[str, Any] = {"on": options.on, "rank": options.rank, "dtype": dtype, "scale": options.scale}
    if options.normalize:
        told["normalize"] = True
    if isinstance(method, Masked):
        told["density"] = options.density
        if method.seeded:
            told["seed"] = options.seed
    return told


def _run_key(plan: MergePlan) -> str:
    """Of contents and options, and of what it was to be measured on, since that is its evidence."""
    base = plan.identity
    text = "recorded" if plan.config.held_out.recorded else None
    facts = {
        "schema": MERGE_SCHEMA,
        "method": plan.options.method,
        "sources": [each.manifest.weights_digest for each in plan.sources],
        "parents": [each.manifest.weights_digest for each in plan.parents],
        "weights": PERFORMANCE if plan.measured_weights else list(plan.options.weights),
        "options": plan.counted,
        "held_out": [plan.text.key if plan.text else text, plan.config.held_out.max_rows],
        "base": base.source_digest,
        "tokenizer": base.tokenizer_digest,
        "quantization": dict(base.quantization),
    }
    return json_digest({"merge": facts})
