"""The story of an import: a LoRA folder that PEFT wrote becomes an artifact, its base and parents stated."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from adapterkit.artifacts import Artifact, ArtifactDraft, parse_json, pretty_json
from adapterkit.artifacts.adapter_config import MAX_CONFIG_BYTES
from adapterkit.base.load import identify
from adapterkit.base.locate import is_hub_id
from adapterkit.config.groups import quantization_named, quantization_said
from adapterkit.config.schema import ModelConfig
from adapterkit.digest import json_digest
from adapterkit.errors import ArtifactError, BaseMismatchError, UsageError
from adapterkit.lineage import BaseIdentity, LineageMember
from adapterkit.manifest import ADAPTER_CONFIG_FILE, IMPORTED, WEIGHTS_FILE, BaseRecord, DataRecord
from adapterkit.names import check_name
from adapterkit.problem import Problem
from adapterkit.registry import Published, Registry
from adapterkit.stores import copy_file, read_file, scratch_directory, write_file
from adapterkit.workflows.fitting import require_fit, require_sound

_PICKLED = ("adapter_model.bin", "adapter_model.pt")


@dataclass(frozen=True)
class ImportRequest:
    """What is imported, and what is said of it.

    Attributes:
        folder: holds adapter_config.json and adapter_model.safetensors.
        name: the adapter's name from now on.
        base: hub id, folder or wheel address of the base; null: the one that adapter_config.json names.
        quantization: how the base was held in training: nf4, int8, bf16 or fp32.
        parents: refs of what it was trained on top of, root-first; empty for the bare base.
        revision: of the base, on the hub.
    """

    folder: Path
    name: str
    base: str | None
    quantization: str
    parents: Sequence[str] = ()
    revision: str | None = None
    description: str = ""


def adopt(registry: Registry, request: ImportRequest) -> Published:
    """Publish somebody's LoRA folder; nothing in the folder is changed.

    Raises:
        ArtifactError: the folder is no sound LoRA, or does not fit the base.
        UsageError: the base is not named, or the parents are not one lineage.
        RefNotFoundError: a parent is not published.
        BaseMismatchError: a parent was trained on another base.
        AdapterKitError: the base is not to be had, or the registry refuses.
    """
    check_name(request.name, said_as="--name ")
    _require_files(request.folder)
    registry.require_writable(request.name)
    with scratch_directory() as scratch:
        return _adopt(registry, request, _plain_copy(request.folder, scratch))


def _adopt(registry: Registry, request: ImportRequest, copy: Path) -> Published:
    measured = require_sound(copy, request.folder)
    base_id = request.base or measured.settings.base_id
    if not base_id:
        raise UsageError(f"{request.folder} does not say which base it was trained on. Say it with --base.")
    if request.revision is not None and not is_hub_id(base_id):
        raise UsageError(
            f"--revision {request.revision} chooses among the revisions that the hub keeps, and the base {base_id} "
            "does not come from there. Leave --revision out, or name the hub's id with --base."
        )
    model = ModelConfig(id=base_id, revision=request.revision)
    identity, base_folder = identify(model, quantization_named(request.quantization))
    require_fit(copy, request.folder, measured.settings, identity.id, base_folder)
    parents = _lineage(registry, request.parents, identity)
    told = {
        "base": base_id,
        "quantization": dict(identity.quantization),
        "parents": [str(member.ref) for member in parents],
    }
    return registry.publish(
        ArtifactDraft(
            name=request.name,
            adapter_dir=copy,
            parents=parents,
            base=BaseRecord(identity, "", "", 0),
            base_location=str(base_folder),
            data=DataRecord(IMPORTED, "", 0, 0),
            run_key=_run_key(measured.digest, identity, parents),
            training_config=yaml.safe_dump({"imported": told}, sort_keys=True),
            training_metrics={},
            description=request.description or "Imported; nobody here knows what it was trained on.",
            tags=("imported",),
        )
    )


def _run_key(weights: str, identity: BaseIdentity, parents: Sequence[LineageMember]) -> str:
    """Of contents alone: the same adapter from another folder, or on a base under another path, is the same import."""
    facts = {
        "weights": weights,
        "base": identity.source_digest,
        "tokenizer": identity.tokenizer_digest,
        "quantization": dict(identity.quantization),
        "parents": [member.weights_digest for member in parents],
    }
    return json_digest({"imported": facts})


def _plain_copy(folder: Path, scratch: Path) -> Path:
    """The two files that count, without PEFT's note on which class of model it wrapped: an import path."""
    copy = scratch / "adapter"
    copy.mkdir()
    config = read_file(folder / ADAPTER_CONFIG_FILE, limit=MAX_CONFIG_BYTES)
    write_file(copy / ADAPTER_CONFIG_FILE, _without_note(config))
    copy_file(folder / WEIGHTS_FILE, copy / WEIGHTS_FILE)
    return copy


def _without_note(config: bytes) -> bytes:
    try:
        plain = parse_json(config, ADAPTER_CONFIG_FILE)
    except ArtifactError:
        return config  # Whoever reads it next says what is wrong with it.
    if not isinstance(plain, dict):
        return config
    return pretty_json({key: value for key, value in plain.items() if key != "auto_mapping"}, ADAPTER_CONFIG_FILE)


def _require_files(folder: Path) -> None:
    # Path.is_dir raises where a name is too long.
    if not os.path.isdir(folder):
        raise UsageError(f"{folder} is not a folder. Give the one that holds {ADAPTER_CONFIG_FILE}.")
    missing = [name for name in (ADAPTER_CONFIG_FILE, WEIGHTS_FILE) if not (folder / name).is_file()]
    if not missing:
        return
    pickled = [name for name in _PICKLED if (folder / name).is_file()]
    if pickled and WEIGHTS_FILE in missing:
        raise ArtifactError(
            f"{folder} holds {pickled[0]}, which can run code when it is loaded, and no {WEIGHTS_FILE}. Where you "
            "trust it, convert it once in plain PEFT: "
            "PeftModel.from_pretrained(base, folder).save_pretrained(new_folder)",
            [Problem(pickled[0], "may be a pickle")],
        )
    raise ArtifactError(
        f"{folder} holds no {missing[0]}. Give the folder that PEFT's save_pretrained wrote; of a Trainer's run, that "
        "is one of its checkpoint-N.",
        [Problem(name, "missing") for name in missing],
    )


def _lineage(registry: Registry, refs: Sequence[str], identity: BaseIdentity) -> tuple[LineageMember, ...]:
    """The ancestors root-first: the last ref's lineage, which must be what the others say."""
    if not refs:
        return ()
    members = registry.lineage_artifacts(refs[-1])
    exact = [str(registry.exact(ref)) for ref in refs]
    found = [str(member.ref) for member in members]
    if len(exact) > 1 and exact != found:
        raise UsageError(
            f"The parents {', '.join(exact)} are not one lineage: {exact[-1]} was built on "
            f"{', '.join(found[:-1]) or 'the bare base'}. Name the last parent alone, and its lineage is taken."
        )
    _require_parents_base(members, identity)
    return tuple(member.manifest.lineage.members[-1] for member in members)


def _require_parents_base(members: Sequence[Artifact], identity: BaseIdentity) -> None:
    for each in members:
        if identity.differs_from(each.manifest.lineage.base):
            raise BaseMismatchError(_mismatch(each, identity))


def _mismatch(parent: Artifact, identity: BaseIdentity) -> str:
    theirs, ref = parent.manifest.lineage.base, parent.manifest.ref
    then, now = quantization_said(theirs.quantization), quantization_said(identity.quantization)
    if then != now:
        return (
            f"{ref} was trained on a base held as {then}, and --quantization says {now}. Where the adapter was trained "
            f"on top of it, say --quantization {then}; else name with --parent what it was trained on top of, or leave "
            "--parent out."
        )
    return (
        f"{ref} was trained on another base: {'; '.join(identity.differs_from(theirs))}. Name the base that both were "
        f"trained on with --base (that of {ref} is {theirs.id}), or another adapter with --parent."
    )
