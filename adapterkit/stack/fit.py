"""Whether an adapter belongs on a base and on what is attached to it: asked before a weight is read."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from adapterkit.artifacts.read import Artifact
from adapterkit.errors import BaseMismatchError, StackError
from adapterkit.lineage import BaseIdentity, Lineage, LineageMember
from adapterkit.manifest import Manifest
from adapterkit.stack.blend import Blend


def require_lineage(
    manifests: Sequence[Manifest],
    identity: BaseIdentity,
    *,
    below: Sequence[LineageMember] = (),
    any_quantization: bool = False,
) -> None:
    """Demand that adapters were trained on this base, and each on exactly the ones before it.

    Args:
        manifests: what is to be attached, root-first.
        identity: the base.
        below: what is attached already, root-first.
        any_quantization: accept the same base held in another precision.

    Raises:
        BaseMismatchError: one was trained on another base, or under another quantization.
        StackError: one was not built on those before it.
    """
    chain = tuple(below)
    for manifest in manifests:
        _require_base(manifest, identity, any_quantization)
        if manifest.lineage.parents != chain:
            built, here = (_listed(members) for members in (manifest.lineage.parents, chain))
            raise StackError(
                f"{manifest.ref} was built on {built}, and this stack holds {here}. Attach exactly its lineage, "
                f"root-first; see: adapterkit lineage {manifest.ref}"
            )
        chain = manifest.lineage.members


def require_dora_trains(use_dora: bool, quantization: Mapping[str, Any], device: torch.device) -> None:
    """Refuse to train DoRA, or on top of DoRA, on an 8-bit base on the processor.

    Args:
        use_dora: whether an adapter of the stack is a DoRA.
        quantization: how the base is held, as in `BaseIdentity`.
        device: where.

    Raises:
        StackError: it would fail at the first step, inside bitsandbytes.
    """
    # To take the weights' norm PEFT moves their 8-bit state about, and bitsandbytes restores the scales on a GPU alone.
    if use_dora and quantization.get("kind") == "int8" and device.type == "cpu":
        raise StackError(
            "Neither DoRA nor anything on top of it can be trained on an 8-bit base on the processor: bitsandbytes "
            "loses the scales of the weights there. Hold the base otherwise (quantization=nf4, bf16 or fp32), train "
            "plain LoRA or rsLoRA (adapter.use_dora=false), or use a GPU (device=cuda)."
        )


def require_blendable(members: Sequence[Artifact | None], blend: Blend) -> None:
    """Refuse weights under which a stack is not what its blend says, or would be trained as what nobody loads.

    Args:
        members: root-first; null is a trainee.
        blend: one weight a member.

    Raises:
        StackError: a member is in training; or a DoRA, or a member below one, would have another weight than 1.
    """
    if blend.is_plain:
        return
    if None in members:
        raise StackError(
            "A stack with a trainee adds up plainly: the manifest has no place for other weights, so that whoever "
            "loads the adapter would get another model than was trained. Blend once it is published: "
            "adapterkit.load(REF, blend=..., weights=...)"
        )
    for index, member in enumerate(members):
        plain = all(each == 1.0 for each in blend.coefficients[: index + 1])
        if member is not None and "dora" in member.manifest.adapter.variant and not plain:
            raise StackError(
                f"{member.manifest.ref} is a DoRA: it sets the norms of the rows that base and parents come to, so "
                "half of it, or it on other weights of its parents, is no part of a sum. Leave its weight, and those "
                "of its parents, at 1 in an additive blend, or train it again with adapter.use_dora=false."
            )


def _require_base(manifest: Manifest, identity: BaseIdentity, any_quantization: bool) -> None:
    trained_on = manifest.lineage.base
    if any_quantization:
        trained_on = dataclasses.replace(trained_on, quantization=identity.quantization)
    if reasons := identity.differs_from(trained_on):
        raise BaseMismatchError(
            f"{manifest.ref} was trained on another base: {'; '.join(reasons)}. Load the base it names "
            f"({Lineage(manifest.lineage.base)}), or train it again on this one."
        )


def _listed(members: Sequence[LineageMember]) -> str:
    return ", ".join(str(member.ref) for member in members) or "the bare base"
