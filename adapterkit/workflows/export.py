"""The story of an export: a stack, as it is blended, becomes a folder that other programs read."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapterkit.artifacts import Artifact
from adapterkit.config.redaction import redact_text
from adapterkit.errors import ExportError
from adapterkit.merging.export.readme import README_FILE, readme
from adapterkit.merging.export.record import ExportRecord, base_name
from adapterkit.registry import Registry
from adapterkit.stack.blend import Blend, blend_of
from adapterkit.stack.fit import require_blendable
from adapterkit.stores import move_into_place, remove_stale_staging, staging_directory, write_file
from adapterkit.workflows.export_lora import for_hub, for_vllm, gguf
from adapterkit.workflows.export_merged import merged
from adapterkit.workflows.export_request import ExportRequest, Written

Form = Callable[[Sequence[Artifact], Blend, ExportRequest, Path], Written]

_FORMS: Mapping[str, Form] = {"merged": merged, "gguf": gguf, "vllm": for_vllm, "hub": for_hub}


@dataclass(frozen=True)
class Exported:
    """What was written, and where.

    Attributes:
        path: the new folder.
        record: what export.json says, but for the files.
        bytes: of all files.
    """

    path: Path
    record: ExportRecord
    bytes: int


def export(registry: Registry, request: ExportRequest) -> Exported:
    """Write a stack in the form that was asked for, whole or not at all, and over nothing.

    Raises:
        UsageError: an option or the weights will not do, or nothing is left of the stack.
        RefNotFoundError: the adapter, or an ancestor, is not published.
        ArtifactError: a member is damaged.
        StackError: a member is a DoRA, and the form or the blend takes none.
        ExportError: something is in the folder's place, or the form cannot hold the stack.
        LossError: a quantization loses more than was accepted.
        BaseMismatchError: the base found is not the one that was trained on.
        BaseLoadError: the base is not to be had.
        MissingExtraError: a package is missing.
        RegistryError: the disk refuses.
    """
    target = request.out.absolute()
    _require_free(target)
    members = registry.lineage_artifacts(request.ref)
    blend = blend_of(len(members), request.blend, request.weights)
    require_blendable(members, blend)
    remove_stale_staging(target.parent)
    with staging_directory(target.parent) as staged:
        written = _FORMS[request.form](members, blend, request, staged)
        record = _record(members, blend, request, written)
        card = readme(record, _title(record), written.load, told=written.told)
        write_file(staged / README_FILE, redact_text(card).encode("utf-8"))
        record.write(staged)
        if not move_into_place(staged, target):
            raise _taken(target)
    return Exported(target, record, sum(path.stat().st_size for path in target.rglob("*") if path.is_file()))


def _record(members: Sequence[Artifact], blend: Blend, request: ExportRequest, written: Written) -> ExportRecord:
    return ExportRecord(
        form=request.form,
        members=members,
        blend=blend,
        base_name=base_name(members[-1].manifest.lineage.base, request.base_id),
        options=written.options,
        losses=written.losses,
        facts=written.facts,
        distance=written.distance,
    )


def _title(record: ExportRecord) -> str:
    name = str(record.members[-1].ref)
    return name if record.form == "hub" else f"{name} ({record.form})"


def _require_free(target: Path) -> None:
    if os.path.lexists(target):
        raise _taken(target)


def _taken(target: Path) -> ExportError:
    return ExportError(f"{target} exists, and an export writes over nothing. Choose another --out, or move it away.")
