"""MLflow: an experiment's run with the published artifact in it, and a version of a registered model.

Transformers' callback is not used: it keeps one run for the whole process, ends it as finished before the test split is
measured, whatever happens after, and drops long parameters.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from adapterkit.config.redaction import redact_text
from adapterkit.errors import TrackingError
from adapterkit.texts import first_line_of
from adapterkit.training.tracking.tracker import Outcome, Publication, RunSheet

FOLDER = "adapter"
_STATUS = {Outcome.FINISHED: "FINISHED", Outcome.FAILED: "FAILED", Outcome.INTERRUPTED: "KILLED"}
# MLflow's own defaults retry for minutes, while the training would wait.
_QUIET_AND_BRIEF = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
# Seconds.
_TO_REGISTER = 30
_LONGEST_PARAM, _LONGEST_TAG, _BATCH = 6000, 5000, 100


class MlflowTracker:
    """One run of one experiment.

    Args:
        uri: of the tracking server, or any other that MLflow takes.
        experiment: made if there is none of that name.
        model: the registered model that the artifact becomes a version of; null: of none.
    """

    key, label = "mlflow", "MLflow"

    def __init__(self, uri: str, experiment: str, model: str | None) -> None:
        """Say what MLflow reads when it is imported."""
        for name, value in _QUIET_AND_BRIEF.items():
            os.environ.setdefault(name, value)
        # They tell every retry and every wait; `Steadfast` tells a failure once.
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        self._uri, self._experiment, self._model = uri, experiment, model
        self._run_id = ""

    def start(self, sheet: RunSheet, known: Mapping[str, str]) -> Mapping[str, str]:
        """Open a run with parameters and tags, or go on with a known one, whose parameters stand.

        Raises:
            TrackingError: the server does not answer, or refuses.
        """
        try:
            from mlflow import MlflowClient

            # It looks at the address already here, and refuses kinds that it does not know.
            self._client = MlflowClient(tracking_uri=self._uri, registry_uri=self._uri)
            if not self._reopened(known.get("run_id")):
                self._open(sheet)
        except Exception as error:
            self._give_up()
            raise TrackingError(
                f"MLflow at {redact_text(self._uri)} cannot be used: {redact_text(first_line_of(error))}\nStart it, "
                "such as with: mlflow server --port 5000. Or name another with tracking.mlflow_uri=ADDRESS, or train "
                "without it: tracking.mlflow=false"
            ) from error
        return {"uri": redact_text(self._uri), "experiment": self._experiment, "run_id": self._run_id}

    def log(self, metrics: Mapping[str, float], *, step: int, at: float) -> None:
        """Send metrics; sent twice with one time, they are kept once."""
        from mlflow.entities import Metric

        sent = [Metric(key, value, int(at * 1000), step) for key, value in metrics.items()]
        self._client.log_batch(self._run_id, metrics=sent)

    def publish(self, publication: Publication) -> None:
        """Send every file of the artifact, then make a model version of what was sent, unless there is one of these."""
        self._client.log_artifacts(self._run_id, str(publication.folder), FOLDER)
        self._client.log_batch(self._run_id, tags=_tags(publication.digests))
        if self._model is not None:
            self._register(self._model, publication)

    def _register(self, model: str, publication: Publication) -> None:
        self._require_model(model)
        weights = publication.digests["adapterkit.weights_digest"]
        versions = self._client.search_model_versions(f"name = '{model}'")
        if any(version.tags.get("adapterkit.weights_digest") == weights for version in versions):
            return
        source = f"{self._client.get_run(self._run_id).info.artifact_uri}/{FOLDER}"
        self._client.create_model_version(
            model, source, self._run_id, tags=dict(publication.digests), await_creation_for=_TO_REGISTER
        )

    def end(self, outcome: Outcome) -> None:
        """Close the run as FINISHED, FAILED or KILLED."""
        self._client.set_terminated(self._run_id, _STATUS[outcome])

    def _reopened(self, run_id: str | None) -> bool:
        """Whether there is such a run; it is running again then."""
        from mlflow.exceptions import MlflowException

        if run_id is None:
            return False
        try:
            if self._client.get_run(run_id).info.lifecycle_stage != "active":
                return False
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return False
        self._client.update_run(run_id, status="RUNNING")
        self._run_id = run_id
        return True

    def _open(self, sheet: RunSheet) -> None:
        from mlflow.entities import Param

        experiment = self._client.get_experiment_by_name(self._experiment)
        experiment_id = experiment.experiment_id if experiment else self._client.create_experiment(self._experiment)
        tags = {**sheet.lineage, "adapterkit.name": sheet.name}
        tags |= {"mlflow.note.content": sheet.description} if sheet.description else {}
        tags |= {"adapterkit.tags": ", ".join(sheet.labels)} if sheet.labels else {}
        cut = {key: value[:_LONGEST_TAG] for key, value in tags.items()}
        self._run_id = self._client.create_run(experiment_id, tags=cut, run_name=sheet.name).info.run_id
        params = [Param(key, value[:_LONGEST_PARAM]) for key, value in sheet.params.items()]
        for start in range(0, len(params), _BATCH):
            self._client.log_batch(self._run_id, params=params[start : start + _BATCH])

    def _give_up(self) -> None:
        """Close a run that could not be told its parameters, where the server still takes that much."""
        if self._run_id:
            with suppress(Exception):
                self.end(Outcome.FAILED)

    def _require_model(self, model: str) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(model)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise


def _tags(tags: Mapping[str, str]) -> Sequence[Any]:
    from mlflow.entities import RunTag

    return [RunTag(key, value[:_LONGEST_TAG]) for key, value in tags.items()]
