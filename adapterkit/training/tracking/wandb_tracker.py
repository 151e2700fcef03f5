"""Weights & Biases: a run, online or in a folder for `wandb sync`, and the published artifact of type `lora-adapter`.

Transformers' callback is not used: it takes project and mode from the environment alone, sends the whole of the
Trainer's arguments, and leaves the run open whatever happens.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from typing import Any

from adapterkit.config.redaction import redact_text
from adapterkit.errors import TrackingError
from adapterkit.texts import first_line_of
from adapterkit.training.tracking.tracker import Outcome, Publication, RunSheet

ARTIFACT_TYPE = "lora-adapter"
OFFLINE = "offline"
_LONGEST_TAG = 64
# Seconds: to open a run, and for the last upload. Whatever was not sent by then stays on the disk for `wandb sync`.
_TO_OPEN, _TO_FINISH = 30.0, 300.0
# What W&B collects by itself: the command line with whatever stands in it, the host's name, git remotes, the console.
_NOTHING_BY_ITSELF = {
    "console": "off",
    "disable_git": True,
    "disable_job_creation": True,
    "save_code": False,
    "x_disable_machine_info": True,
    "x_disable_meta": True,
    "x_disable_stats": True,
    "x_save_requirements": False,
    "silent": True,
}


class WandbTracker:
    """One run of one project.

    Args:
        project: where the run belongs.
        entity: whose; null: W&B's default.
        mode: `online`, or `offline`, which needs neither an account nor a network.
    """

    key, label = "wandb", "Weights & Biases"

    def __init__(self, project: str, entity: str | None, mode: str) -> None:
        """Import wandb and call nobody."""
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        import wandb

        self._wandb: Any = wandb
        self._project, self._entity, self._mode = project, entity, mode
        self._run: Any = None

    def start(self, sheet: RunSheet, known: Mapping[str, str]) -> Mapping[str, str]:
        """Open a run in the run directory, under the known run's id if that is of the same project.

        Raises:
            TrackingError: there is no API key, or the server does not answer.
        """
        try:
            opened = (self._mode == OFFLINE or self._wandb.login(prompt=False)) and self._opened(sheet, known)
        except Exception as error:
            raise TrackingError(
                f"Weights & Biases cannot be used: {redact_text(first_line_of(error))}\nKeep the run in its folder "
                "with tracking.wandb_mode=offline, or train without it: tracking.wandb=false"
            ) from error
        if not opened:
            raise TrackingError(
                "Weights & Biases knows no API key here. Give one with `wandb login` or $WANDB_API_KEY, or keep the "
                "run in its folder, without an account: tracking.wandb_mode=offline"
            )
        return opened

    def _opened(self, sheet: RunSheet, known: Mapping[str, str]) -> Mapping[str, str]:
        place = {"project": self._project, "entity": self._entity or ""}
        same = {key: known.get(key) for key in place} == place
        run_id = known["run_id"] if same and "run_id" in known else secrets.token_hex(4)
        self._run = self._wandb.init(
            project=self._project,
            entity=self._entity,
            mode=self._mode,
            dir=str(sheet.directory),
            id=run_id,
            resume="allow",
            reinit="create_new",
            name=sheet.name,
            notes=sheet.description or None,
            tags=list(dict.fromkeys(label[:_LONGEST_TAG] for label in sheet.labels)),
            config={**sheet.params, **sheet.lineage},
            settings=self._wandb.Settings(
                init_timeout=_TO_OPEN, finish_timeout=_TO_FINISH, finish_timeout_raises=True, **_NOTHING_BY_ITSELF
            ),
        )
        self._run.define_metric("step")
        self._run.define_metric("*", step_metric="step")
        return {**place, "run_id": run_id}

    def log(self, metrics: Mapping[str, float], *, step: int, at: float) -> None:
        """Hand metrics to W&B's own process; a resumed training may log a step again, hence a metric and no `step=`."""
        self._run.log({**metrics, "step": step})

    def publish(self, publication: Publication) -> None:
        """Hand over every file of the artifact; it is not copied, since a published file never changes."""
        artifact = self._wandb.Artifact(publication.name, ARTIFACT_TYPE, metadata=dict(publication.digests))
        for path in sorted(publication.folder.rglob("*")):
            if path.is_file():
                name = path.relative_to(publication.folder).as_posix()
                artifact.add_file(str(path), name=name, policy="immutable")
        self._run.log_artifact(artifact, aliases=[publication.version])
        self._run.summary.update(dict(publication.digests))

    def end(self, outcome: Outcome) -> None:
        """Close the run: finished, failed, or preempted, which W&B expects to be gone on with."""
        if outcome is Outcome.INTERRUPTED:
            self._run.mark_preempting()
        self._run.finish(exit_code=0 if outcome is Outcome.FINISHED else 1)
