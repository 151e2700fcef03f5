"""Turn a draft into the files of an artifact, the same bytes for the same facts."""

from __future__ import annotations

from pathlib import Path

from adapterkit.artifacts.adapter_config import LoraSettings
from adapterkit.artifacts.card import render_card
from adapterkit.artifacts.checksums import write_checksums
from adapterkit.artifacts.draft import ArtifactDraft
from adapterkit.artifacts.strict_json import parse_json, pretty_json
from adapterkit.artifacts.weights import Measured
from adapterkit.config.redaction import redact_text
from adapterkit.lineage import Lineage, LineageMember
from adapterkit.manifest import (
    ADAPTER_CONFIG_FILE,
    CARD_FILE,
    MANIFEST_FILE,
    TRAINING_CONFIG_FILE,
    TRAINING_METRICS_FILE,
    WEIGHTS_FILE,
    Manifest,
)
from adapterkit.names import AdapterRef, Version
from adapterkit.stores import copy_file, write_file


def manifest_of(draft: ArtifactDraft, measured: Measured, version: Version, created: str) -> Manifest:
    """The manifest that a draft becomes at a version.

    The values pass through JSON once, so that the manifest equals the one a reader of the artifact will see.

    Raises:
        ArtifactError: a value is not JSON, a number is not finite, or the parts contradict each other.
    """
    itself = LineageMember(AdapterRef(draft.name, version), measured.digest)
    manifest = Manifest(
        name=draft.name,
        version=version,
        created=created,
        run_key=draft.run_key,
        weights_digest=measured.digest,
        lineage=Lineage(draft.base.identity, (*draft.parents, itself)),
        base=draft.base,
        data=draft.data,
        adapter=measured.shape,
        metrics=dict(draft.metrics),
        environment=dict(draft.environment),
        description=draft.description,
        intended_use=draft.intended_use,
        tags=tuple(draft.tags),
        custom=dict(draft.custom),
        merged_from=tuple(draft.merged_from),
        merge=draft.merge,
        recipe=draft.recipe,
        started_from=draft.started_from,
    )
    return Manifest.from_json(parse_json(_manifest_bytes(manifest), MANIFEST_FILE))


def write_artifact(
    draft: ArtifactDraft, measured: Measured, manifest: Manifest, directory: Path, registry: str
) -> None:
    """Write every file of an artifact into an empty directory.

    Args:
        draft: where the weights, the config and the metrics come from.
        measured: what `measure_sound` said of the draft's adapter.
        manifest: what `manifest_of` made of both.
        directory: an empty directory.
        registry: the registry's path, as the card's examples shall write it.

    Raises:
        ArtifactError: the metrics are not JSON.
        RegistryError: a source file is missing, or the disk refuses.
    """
    write_file(directory / ADAPTER_CONFIG_FILE, canonical_config(measured.settings, draft.base.identity.id))
    copy_file(draft.adapter_dir / WEIGHTS_FILE, directory / WEIGHTS_FILE)
    write_file(directory / MANIFEST_FILE, _manifest_bytes(manifest))
    write_file(directory / TRAINING_CONFIG_FILE, draft.training_config.encode("utf-8"))
    write_file(directory / TRAINING_METRICS_FILE, pretty_json(dict(draft.training_metrics), TRAINING_METRICS_FILE))
    for name, source in sorted(draft.extra_files.items()):
        copy_file(source, directory / name)
    card = redact_text(render_card(manifest, registry=registry, base_location=draft.base_location))
    write_file(directory / CARD_FILE, card.encode("utf-8"))
    write_checksums(directory)


def canonical_config(settings: LoraSettings, base_id: str) -> bytes:
    """adapter_config.json with the base named by id and the targets sorted: PEFT writes a set, in random order."""
    plain = {
        **settings.plain,
        "base_model_name_or_path": base_id,
        "inference_mode": True,
        "target_modules": list(settings.targets),
    }
    return pretty_json(plain, ADAPTER_CONFIG_FILE)


def _manifest_bytes(manifest: Manifest) -> bytes:
    return pretty_json(manifest.to_json(), MANIFEST_FILE)
