"""The story of a flattening: a stack, as it is blended, becomes one plain LoRA that stands on the base alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

from adapterkit.artifacts import Artifact, ArtifactDraft
from adapterkit.digest import json_digest
from adapterkit.manifest import BaseRecord, DataRecord, MergeRecord
from adapterkit.merging.flatten import flatten as flat
from adapterkit.merging.recompress import recompress
from adapterkit.names import check_name
from adapterkit.registry import Published, Registry
from adapterkit.stack.blend import Blend, blend_of
from adapterkit.stores import scratch_directory
from adapterkit.workflows.combined import (
    DTYPES,
    Combined,
    check_rank,
    environment_of,
    factors_of,
    stored_dtype,
    write_plain,
)
from adapterkit.workflows.parents import FLATTEN, FLATTENED, require_own_name, require_same_kind


@dataclass(frozen=True)
class FlattenRequest:
    """What is flattened, and how.

    Attributes:
        ref: the adapter on top of the stack.
        name: of the result; null: the adapter's with `_flat`.
        blend: additive or interpolative; null: additive.
        weights: one for each member, root-first; null: 1 for each.
        rank: cut every layer down to this rank at most; null: exact.
        padded: one rank for all layers, the missing columns being zero.
        dtype: of the stored weights, torch's name or a short one.
    """

    ref: str
    name: str | None = None
    blend: str | None = None
    weights: Sequence[float] | None = None
    rank: int | None = None
    padded: bool = False
    dtype: str = "float32"


def flatten(registry: Registry, request: FlattenRequest) -> Published:
    """Publish a stack as one adapter; what is there already, made of the same by the same options, is returned.

    Neither the base nor the model is loaded.

    Raises:
        UsageError: the weights, the rank, the dtype or the name will not do, or nothing is left of the stack.
        RefNotFoundError: the adapter, or an ancestor, is not published.
        ArtifactError: a member is damaged.
        StackError: a member is a DoRA.
        RegistryError: the registry refuses.
    """
    members = registry.lineage_artifacts(request.ref)
    blend = blend_of(len(members), request.blend, request.weights)
    name = check_name(request.name or f"{members[-1].manifest.name}_flat", said_as="--name ")
    require_own_name(name, [member.ref for member in members], f"--name {name}_flat")
    require_same_kind(registry, name, FLATTENED, f"--name {members[-1].manifest.name}_flat")
    options = _options(request, blend)
    key = _run_key(members, blend, options)
    if (existing := registry.find_run_key(name, key)) is not None:
        return Published(existing.path, existing.manifest, existing.digest, new=False)
    registry.require_writable(name)
    found = flattened(members, blend, request.rank, DTYPES[options["dtype"]])
    with scratch_directory() as scratch:
        where = write_plain(found, members[-1].manifest.lineage.base, scratch, padded=request.padded)
        draft = _draft(name, members, blend, options, key, found, scratch, where)
        return registry.publish(draft)


def _options(request: FlattenRequest, blend: Blend) -> dict[str, Any]:
    dtype = stored_dtype(request.dtype)
    check_rank(request.rank)
    return {"blend": blend.kind, "rank": request.rank, "padded": request.padded, "dtype": dtype}


def _run_key(members: Sequence[Artifact], blend: Blend, options: Mapping[str, Any]) -> str:
    """Of contents and options alone; the base counts, since the result is bound to it."""
    base = members[-1].manifest.lineage.base
    facts = {
        "members": [each.manifest.weights_digest for each in members],
        "weights": list(blend.weights),
        "options": dict(options),
        "base": base.source_digest,
        "tokenizer": base.tokenizer_digest,
        "quantization": dict(base.quantization),
    }
    return json_digest({FLATTEN: facts})


def flattened(members: Sequence[Artifact], blend: Blend, rank: int | None, dtype: torch.dtype) -> Combined:
    """A verified stack as one change a layer, and what a limit on the rank and a stored dtype cost.

    Raises:
        UsageError: nothing is left of the stack.
        ArtifactError: a member is damaged.
        StackError: a member is a DoRA.
    """
    modules = flat([factors_of(each, "flattened") for each in members], blend.coefficients)
    errors = dict.fromkeys(modules, 0.0)
    if rank is not None:
        for name, factors in modules.items():
            modules[name], errors[name] = recompress(factors, rank)
    return Combined(modules, errors, dtype)


def _draft(
    name: str,
    members: Sequence[Artifact],
    blend: Blend,
    options: Mapping[str, Any],
    key: str,
    found: Combined,
    adapter: Path,
    base_location: str,
) -> ArtifactDraft:
    top, refs = members[-1].manifest, [str(each.ref) for each in members]
    told = {"members": refs, "weights": list(blend.weights), **options}
    return ArtifactDraft(
        name=name,
        adapter_dir=adapter,
        parents=(),
        base=BaseRecord(top.lineage.base, "", "", 0),
        base_location=base_location,
        data=DataRecord(f"nothing of its own: flattened from {', '.join(refs)}", "", 0, 0),
        run_key=key,
        training_config=yaml.safe_dump({FLATTEN: told}, sort_keys=True),
        training_metrics={FLATTEN: _evidence(members, blend, found)},
        metrics=found.summary,
        environment=environment_of(),
        description=_description(refs, blend),
        intended_use=f"Alone, since the parents are part of it. {refs[-1]}: {top.intended_use}"
        if top.intended_use
        else "",
        tags=tuple(dict.fromkeys(("flattened", *top.tags))),
        merged_from=tuple(each.manifest.lineage.members[-1] for each in members),
        merge=MergeRecord(FLATTEN, blend.weights, options, found.errors),
    )


def _description(refs: Sequence[str], blend: Blend) -> str:
    parents = " with its parents" if len(refs) > 1 else ""
    return f"{refs[-1]}{parents} as one plain adapter{'' if blend.is_plain else f': {blend}'}."


def _evidence(members: Sequence[Artifact], blend: Blend, found: Combined) -> dict[str, Any]:
    """What the result is made of, layer by layer."""
    return {
        "members": [
            {
                "ref": str(each.ref),
                "weights_digest": each.manifest.weights_digest,
                "weight": weight,
                "coefficient": coefficient,
                "variant": each.manifest.adapter.variant,
                "parameters": each.manifest.adapter.parameters,
            }
            for each, weight, coefficient in zip(members, blend.weights, blend.coefficients, strict=True)
        ],
        "layers": found.layers,
    }
