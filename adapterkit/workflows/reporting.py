"""Write the report of a finished training into its run directory."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from pathlib import Path

from adapterkit.artifacts import peft_lines
from adapterkit.artifacts.read import Artifact
from adapterkit.config.flat import flat
from adapterkit.config.redaction import redact, redact_text
from adapterkit.config.schema import TrainConfig
from adapterkit.evaluation.report.page import render_report
from adapterkit.evaluation.report.view import Story
from adapterkit.stores import write_file
from adapterkit.workflows.drafting import Trained
from adapterkit.workflows.say import adapterkit_lines

_log = logging.getLogger(__name__)

REPORT_FILE = "report.html"


def write_report(trained: Trained, artifact: Artifact) -> Path:
    """Write `report.html`, and say where it is.

    Args:
        trained: the training.
        artifact: what it was published as.

    Raises:
        RegistryError: the disk refuses.
    """
    members, plan = artifact.manifest.lineage.members, trained.plan
    story = Story(
        manifest=artifact.manifest,
        artifact_digest=artifact.digest,
        settings=settings_told(plan.config),
        history=trained.result.history,
        test=trained.test.change,
        loading={
            "With adapterkit": redact_text("\n".join(adapterkit_lines(artifact, plan.registry))),
            "In plain PEFT": redact_text("\n".join(peft_lines(members, str(plan.registry.path), str(plan.folder)))),
        },
    )
    path = trained.run.path / REPORT_FILE
    write_file(path, render_report(story).encode("utf-8"))
    _log.info("Report: %s", path)
    return path


def settings_told(config: TrainConfig) -> Mapping[str, str]:
    """Every setting by its dotted key, without secrets."""
    return dict(flat(redact(dataclasses.asdict(config))))
