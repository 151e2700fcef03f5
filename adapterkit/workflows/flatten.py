"""The story of a flattening: a stack, as it is blended, becomes one plain LoRA that stands on the base alone."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from adapterkit.artifacts import Artifact, ArtifactDraft, verified_settings, verified_weights
from adapterkit.base.nearby import nearby_folder
from adapterkit.base.outline import outline_of
from adapterkit.digest import json_digest
from adapterkit.errors import BaseLoadError, StackError, UnknownNameError, UsageError
from adapterkit.lineage import BaseIdentity
from adapterkit.manifest import ADAPTER_CONFIG_FILE, WEIGHTS_FILE, BaseRecord, DataRecord, MergeRecord
from adapterkit.merging.factors import AdapterFactors, Factors
from adapterkit.merging.flatten import flatten as flat
from adapterkit.merging.flatten import rounding
from adapterkit.merging.plain import plain_lora
from adapterkit.merging.recompress import recompress
from adapterkit.names import check_name, nearest
from adapterkit.registry import Published, Registry
from adapterkit.stack.blend import Blend, blend_of
from adapterkit.stores import write_file

METHOD = "flatten"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16, "float64": torch.float64}
_SHORT = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16", "fp64": "float64"}


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


@dataclass(frozen=True)
class Flat:
    """What a stack came to.

    Attributes:
        modules: the changes by the layer's name.
        errors: by the layer's name, what the limit on the rank left out.
        rounded: by the layer's name, what the stored dtype cost.
    """

    modules: Mapping[str, Factors]
    errors: Mapping[str, float]
    rounded: Mapping[str, float]


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
    options = _options(request, blend)
    key = _run_key(members, blend, options)
    if (existing := registry.find_run_key(name, key)) is not None:
        return Published(existing.path, existing.manifest, existing.digest, new=False)
    dtype = DTYPES[options["dtype"]]
    found = flattened(members, blend, request.rank, dtype)
    identity = members[-1].manifest.lineage.base
    folder = nearby_folder(identity.id, identity.revision)
    most = max(factors.rank for factors in found.modules.values())
    lora = plain_lora(
        found.modules,
        identity.id,
        dtype=dtype,
        padded=most if request.padded else None,
        layers=layer_names(identity, folder),
    )
    with tempfile.TemporaryDirectory(prefix="adapterkit-flatten-") as scratch:
        write_file(Path(scratch) / ADAPTER_CONFIG_FILE, lora.config_bytes)
        write_file(Path(scratch) / WEIGHTS_FILE, save_tensors(dict(lora.tensors), metadata={"format": "pt"}))
        draft = _draft(name, members, blend, options, key, found, Path(scratch), str(folder or identity.id))
        return registry.publish(draft)


def _options(request: FlattenRequest, blend: Blend) -> dict[str, Any]:
    dtype = dtype_named(request.dtype, tuple(DTYPES))
    check_rank(request.rank)
    return {"blend": blend.kind, "rank": request.rank, "padded": request.padded, "dtype": dtype}


def dtype_named(name: str, known: Sequence[str]) -> str:
    """The full name of a dtype that is given in full or in short.

    Raises:
        UnknownNameError: it is none of the known ones.
    """
    dtype = _SHORT.get(name, name)
    if dtype not in known:
        raise UnknownNameError("dtype", name, nearest(dtype, known), hint=f"Known: {', '.join(known)}.")
    return dtype


def check_rank(rank: int | None) -> None:
    """Refuse a limit on the rank that is none.

    Raises:
        UsageError: it is below 1.
    """
    if rank is not None and rank < 1:
        raise UsageError(f"--rank {rank}: a rank is 1 or more.")


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
    return json_digest({METHOD: facts})


def flattened(members: Sequence[Artifact], blend: Blend, rank: int | None, dtype: torch.dtype) -> Flat:
    """A verified stack as one change a layer, and what a limit on the rank and a stored dtype cost.

    Raises:
        UsageError: nothing is left of the stack.
        ArtifactError: a member is damaged.
        StackError: a member is a DoRA.
    """
    modules = flat([factors_of(each) for each in members], blend.coefficients)
    errors = dict.fromkeys(modules, 0.0)
    if rank is not None:
        for name, factors in modules.items():
            modules[name], errors[name] = recompress(factors, rank)
    return Flat(modules, errors, {name: rounding(factors, dtype) for name, factors in modules.items()})


def factors_of(member: Artifact, *, magnitudes: bool = False) -> AdapterFactors:
    """A verified member's changes; with `magnitudes` a DoRA's too.

    Raises:
        ArtifactError: its files changed since it was verified.
        StackError: it is a DoRA, and magnitudes are of no use.
    """
    try:
        return AdapterFactors(verified_settings(member), load_tensors(verified_weights(member)), magnitudes=magnitudes)
    except StackError as error:
        raise StackError(f"{member.ref} cannot be flattened. {error}") from error


def layer_names(identity: BaseIdentity, folder: Path | None) -> Sequence[str]:
    """The names of the base's modules, where it lies here; without them the config only becomes longer."""
    if folder is None:
        return ()
    try:
        return outline_of(identity.id, folder).modules
    except BaseLoadError:
        return ()


def _draft(
    name: str,
    members: Sequence[Artifact],
    blend: Blend,
    options: Mapping[str, Any],
    key: str,
    found: Flat,
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
        training_config=yaml.safe_dump({METHOD: told}, sort_keys=True),
        training_metrics={METHOD: _evidence(members, blend, found)},
        metrics=_summary(found),
        environment={"python": platform.python_version(), "torch": version("torch")},
        description=_description(refs, blend),
        intended_use=top.intended_use,
        tags=tuple(dict.fromkeys(("flattened", *top.tags))),
        merged_from=tuple(each.manifest.lineage.members[-1] for each in members),
        merge=MergeRecord(METHOD, blend.weights, options, found.errors),
    )


def _description(refs: Sequence[str], blend: Blend) -> str:
    parents = " with its parents" if len(refs) > 1 else ""
    return f"{refs[-1]}{parents} as one plain adapter{'' if blend.is_plain else f': {blend}'}."


def _evidence(members: Sequence[Artifact], blend: Blend, found: Flat) -> dict[str, Any]:
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
        "layers": {
            module: {
                "rank": factors.rank,
                "left_out_by_the_rank": found.errors[module],
                "lost_in_storage": found.rounded[module],
            }
            for module, factors in found.modules.items()
        },
    }


def _summary(found: Flat) -> dict[str, float]:
    """The worst layer of each kind of loss, as a share of its change."""
    return {
        "largest_loss_by_the_rank": max(found.errors.values()),
        "largest_loss_in_storage": max(found.rounded.values()),
    }
