"""What a training tells its trackers: its settings and lineage when it begins, its test and its artifact at the end."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from adapterkit.artifacts.read import Artifact
from adapterkit.config.flat import flat
from adapterkit.config.redaction import redact
from adapterkit.training.fit import Fit
from adapterkit.training.tracking.tracker import Publication, RunSheet
from adapterkit.workflows.preparing import Plan
from adapterkit.workflows.tested import Tested

# Where a training runs and whether it starts: a resumed one may say otherwise, and is the same run.
_NOT_TOLD = ("registry", "output_dir", "force", "resume", "tracking")
_ONCE = ("train_loss", "seconds", "trainable_parameters", "tokens_per_second", "validation_loss")


def sheet_of(plan: Plan, run: Path) -> RunSheet:
    """What trackers are told at the beginning, without secrets.

    Args:
        plan: the training.
        run: the run directory.
    """
    config, identity, data = plan.config, plan.identity, plan.rows.record
    told = {word: value for word, value in dataclasses.asdict(config).items() if word not in _NOT_TOLD}
    chain = [identity.id, *(str(parent.ref) for parent in plan.parents), plan.name]
    lineage = {
        "run_key": plan.key,
        "lineage": " <- ".join(chain),
        "base": identity.id,
        "base_source_digest": identity.source_digest,
        "data": data.source,
        "data_digest": data.digest,
    }
    for position, parent in enumerate(plan.parents):
        lineage[f"parent_{position}"] = str(parent.ref)
        lineage[f"parent_{position}_weights_digest"] = parent.manifest.weights_digest
    return RunSheet(
        name=plan.name,
        description=redact(config.description),
        labels=redact(config.tags),
        params=dict(flat(redact(told))),
        lineage={f"adapterkit.{word}": redact(value) for word, value in lineage.items()},
        directory=run,
    )


def final_metrics(result: Fit, test: Tested) -> Mapping[str, float]:
    """The summary of a training, and its test split without and with the adapter."""
    found = {f"final/{word}": result.metrics[word] for word in _ONCE if word in result.metrics}
    for place, change in (("test", test.change), ("update", test.update)):
        if change is not None:
            found |= {f"{place}/{word}": float(value) for word, value in change.to_json().items()}
    return found


def publication_of(artifact: Artifact) -> Publication:
    """What trackers are told of the artifact."""
    manifest = artifact.manifest
    digests = {"ref": str(artifact.ref), "weights_digest": manifest.weights_digest, "artifact_digest": artifact.digest}
    told = {f"adapterkit.{word}": value for word, value in digests.items()}
    return Publication(manifest.name, str(manifest.version), artifact.path, told)
