"""What an artifact says of itself, and the names of its files."""

from adapterkit.manifest.files import (
    ADAPTER_CONFIG_FILE,
    CARD_FILE,
    CHECKSUMS_FILE,
    MANDATORY_FILES,
    MANIFEST_FILE,
    OPTIONAL_FILES,
    TRAINING_CONFIG_FILE,
    TRAINING_METRICS_FILE,
    WEIGHTS_FILE,
)
from adapterkit.manifest.manifest import SCHEMA_VERSION, Manifest
from adapterkit.manifest.records import IMPORTED, AdapterShape, BaseRecord, DataRecord, MergeRecord, RecipeRecord

__all__ = [
    "ADAPTER_CONFIG_FILE",
    "CARD_FILE",
    "CHECKSUMS_FILE",
    "IMPORTED",
    "MANDATORY_FILES",
    "MANIFEST_FILE",
    "OPTIONAL_FILES",
    "SCHEMA_VERSION",
    "TRAINING_CONFIG_FILE",
    "TRAINING_METRICS_FILE",
    "WEIGHTS_FILE",
    "AdapterShape",
    "BaseRecord",
    "DataRecord",
    "Manifest",
    "MergeRecord",
    "RecipeRecord",
]
