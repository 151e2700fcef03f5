"""What a trainee starts from: the weights of an earlier version (`incremental`), its data (EVA), or its seed alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence

from safetensors.torch import load

from adapterkit.artifacts import LoraSettings
from adapterkit.artifacts.read import Artifact, verified_settings, verified_weights
from adapterkit.config.choices import EVA
from adapterkit.config.schema import AdapterConfig, TrainConfig
from adapterkit.data.collate import PadCollator
from adapterkit.data.encode import as_dataset
from adapterkit.data.template import EncodedRow
from adapterkit.errors import ArtifactError, RefNotFoundError, StackError, UsageError
from adapterkit.lineage import BaseIdentity
from adapterkit.names import AdapterRef, Version, nearest
from adapterkit.registry import Registry, version_with
from adapterkit.stack.adapter_stack import AdapterStack
from adapterkit.texts import in_registry, listed
from adapterkit.training.eva import start_by_eva

_log = logging.getLogger(__name__)


def starting_digest(
    config: TrainConfig, registry: Registry, name: str, key_of: Callable[[str | None], str]
) -> str | None:
    """The `weights_digest` that an incremental run starts from; null for a run that starts afresh.

    The version that this very run made is not its own start: a command that is given twice would go on training without
    an end. So where the bare name, or an alias, means a version that was made from another by the same run, the start
    is that other one. An exact version is what it says.

    Args:
        config: the training.
        registry: where the earlier version is.
        name: the adapter.
        key_of: the run key for a start.

    Raises:
        UsageError: the start is another adapter's, or is named without `incremental`.
        RefNotFoundError: there is no such version, or none at all.
        ArtifactError: it is not intact.
    """
    start = require_start(config, registry, name)
    if start is None:
        return None
    there = start.manifest
    before, exact = there.started_from, isinstance(_asked(config, name).selector, Version)
    if before is not None and not exact and key_of(before) == there.run_key:
        return before
    return there.weights_digest


def require_start(config: TrainConfig, registry: Registry, name: str) -> Artifact | None:
    """The version that an incremental run is asked to start from, verified; null for a run that starts afresh.

    It is looked at before a missing parent is trained.

    Raises:
        UsageError, RefNotFoundError, ArtifactError: as `starting_digest`.
    """
    if not config.incremental:
        if config.start_from is not None:
            raise UsageError(f"start_from={config.start_from} is for a run that goes on from it: add incremental=true.")
        return None
    ref = _asked(config, name)
    if ref.name != name:
        raise UsageError(
            f"start_from={ref} is another adapter than '{name}': an incremental run makes the next version of its own. "
            f"To build on it: parent={ref}. To go on with it: name={ref.name}"
        )
    return _meant(ref, registry)


def origin_of(
    config: TrainConfig,
    registry: Registry,
    name: str,
    identity: BaseIdentity,
    parents: Sequence[Artifact],
    weights_digest: str | None,
) -> Artifact | None:
    """The version that an incremental run starts from, once it is known to fit; null for a fresh start.

    Args:
        config: the training.
        registry: where the version is.
        name: the adapter.
        identity: the base.
        parents: the frozen lineage below, root-first.
        weights_digest: from `starting_digest`.

    Raises:
        UsageError: base, parents' weights or shape are not those of the version.
        RefNotFoundError, ArtifactError: as `version_with`.
    """
    if weights_digest is None:
        return None
    origin = version_with(registry, name, weights_digest)
    lineage = origin.manifest.lineage
    before, now = lineage.parents, [parent.manifest.lineage.members[-1] for parent in parents]
    differing = [f"base: {reason}" for reason in identity.differs_from(lineage.base)]
    if [member.weights_digest for member in before] != [member.weights_digest for member in now]:
        was, is_now = (", ".join(str(member.ref) for member in members) or "the bare base" for members in (before, now))
        differing.append(f"parent: {is_now} is not {was}")
    differing += _other_shape(config.adapter, verified_settings(origin))
    if differing:
        raise UsageError(
            f"'{name}' cannot go on from {origin.ref}: an incremental run keeps base, parents and shape."
            f"{listed(differing)}\nAsk for those of {origin.ref}, or train afresh, on all of the data: "
            "incremental=false"
        )
    _log.info("Going on from the weights of %s", origin.ref)
    return origin


def start(stack: AdapterStack, config: TrainConfig, rows: Sequence[EncodedRow], origin: Artifact | None) -> None:
    """Give a fresh trainee the weights that it starts from.

    Args:
        stack: with a fresh trainee.
        config: the training.
        rows: to learn from.
        origin: the version to go on from; null: by `adapter.init_lora_weights`.

    Raises:
        UsageError: the version has other layers than this trainee.
        DataError: the rows are too few for EVA.
    """
    if origin is not None:
        try:
            stack.put_trainee(load(verified_weights(origin)))
        except StackError as error:
            raise UsageError(
                f"'{origin.manifest.name}' cannot go on from {origin.ref}, whose adapter has other layers than "
                f"adapter.target_modules={config.adapter.target_modules} asks for. {error} Its layers: "
                f"adapter.target_modules=[{','.join(verified_settings(origin).targets)}]"
            ) from error
    elif config.adapter.init_lora_weights == EVA:
        collate = PadCollator(stack.base.tokenizer.pad_token_id)
        start_by_eva(stack, as_dataset(rows), collate, batch_size=config.trainer.batch_size, seed=config.seed)


def _asked(config: TrainConfig, name: str) -> AdapterRef:
    return AdapterRef.parse(config.start_from or name)


def _meant(ref: AdapterRef, registry: Registry) -> Artifact:
    try:
        return registry.artifact(ref)
    except RefNotFoundError as missing:
        if registry.versions(ref.name):
            raise
        near = nearest(ref.name, registry.names())
        meant = f" Did you mean {', '.join(near)}?" if near else ""
        raise RefNotFoundError(
            str(ref),
            registry.path,
            why=f"incremental=true goes on from an earlier version of '{ref.name}', and {registry.path} has none."
            f"{meant} Make the first one by the same command with incremental=false, and without trainer=incremental.",
        ) from missing
    except ArtifactError as error:
        raise ArtifactError(
            f"{error}\nTo go on from an earlier version: start_from={ref.name}@VERSION; see: "
            f"{in_registry(f'adapterkit history {ref.name}', registry.path)}",
            error.problems,
        ) from error


def _other_shape(wanted: AdapterConfig, held: LoraSettings) -> Iterator[str]:
    """Where the shape that is asked for is not a published adapter's; its layers are compared once they are loaded."""
    variant = f"{'rs' if wanted.use_rslora else ''}{'dora' if wanted.use_dora else 'lora'}"
    pairs = {
        "adapter.r": (wanted.r, held.rank),
        "adapter.lora_alpha": (float(wanted.lora_alpha), held.alpha),
        "variant": (variant, held.variant),
    }
    yield from (f"{key}: {asked} is not {was}" for key, (asked, was) in pairs.items() if asked != was)
    if held.rank_pattern or held.alpha_pattern:
        yield "rank_pattern or alpha_pattern: a training gives every layer one rank and one alpha"
