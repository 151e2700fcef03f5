"""From the tracking settings to the trackers they name, refused before anything is loaded."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec

from adapterkit.config.schema import TrackingConfig
from adapterkit.errors import MissingExtraError, UsageError
from adapterkit.training.tracking.mlflow_tracker import MlflowTracker
from adapterkit.training.tracking.tracker import Tracker
from adapterkit.training.tracking.wandb_tracker import OFFLINE, WandbTracker

AS_NAMED = "auto"
_MODES = ("online", OFFLINE)
_MODEL = re.compile(r"[A-Za-z0-9_. -]+")
_NEEDED = {"wandb": ("wandb", "tracking.wandb"), "mlflow": ("mlflow-skinny", "tracking.mlflow")}


def trackers_of(config: TrackingConfig, name: str) -> list[Tracker]:
    """The trackers that a config names; none of them is called yet.

    Args:
        config: the tracking settings.
        name: of the adapter; the registered model's too, unless that is given.

    Raises:
        MissingExtraError: a package is not installed.
        UsageError: a setting is missing, or cannot be meant.
    """
    for module, (package, purpose) in _NEEDED.items():
        if getattr(config, module) and find_spec(module) is None:
            raise MissingExtraError(package, f"{purpose}=true", f"pip install 'adapterkit[{module}]'")
    found: list[Tracker] = []
    if config.wandb:
        if config.wandb_mode not in _MODES:
            raise UsageError(f"tracking.wandb_mode={config.wandb_mode} cannot be used: it takes {' or '.join(_MODES)}.")
        found.append(WandbTracker(config.wandb_project, config.wandb_entity, config.wandb_mode))
    if config.mlflow:
        model = name if config.registered_model == AS_NAMED else config.registered_model
        if model is not None and not _MODEL.fullmatch(model):
            raise UsageError(
                f"tracking.registered_model={model} cannot be used: it takes letters, digits, `_`, `-`, `.`, spaces; "
                "auto, which is the adapter's name; or null, for no registered model."
            )
        found.append(MlflowTracker(_address(config), config.mlflow_experiment, model))
    return found


def _address(config: TrackingConfig) -> str:
    uri = config.mlflow_uri or os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        raise UsageError(
            "tracking.mlflow=true needs a server: tracking.mlflow_uri=http://127.0.0.1:5000, or $MLFLOW_TRACKING_URI. "
            "To start one here: pip install mlflow && mlflow server --port 5000"
        )
    return uri
