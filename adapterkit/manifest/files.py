"""The files of an artifact, by name."""

from __future__ import annotations

MANIFEST_FILE = "metadata.json"
CHECKSUMS_FILE = "checksums.json"
WEIGHTS_FILE = "adapter_model.safetensors"
ADAPTER_CONFIG_FILE = "adapter_config.json"
TRAINING_CONFIG_FILE = "training_config.yaml"
TRAINING_METRICS_FILE = "training_metrics.json"
CARD_FILE = "README.md"
MANDATORY_FILES = (
    ADAPTER_CONFIG_FILE,
    WEIGHTS_FILE,
    MANIFEST_FILE,
    TRAINING_CONFIG_FILE,
    TRAINING_METRICS_FILE,
    CHECKSUMS_FILE,
    CARD_FILE,
)
OPTIONAL_FILES = ("test_metrics.json", "training_curves.png")
