"""What a story hands over for publishing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapterkit.errors import ArtifactError
from adapterkit.lineage import LineageMember
from adapterkit.manifest import OPTIONAL_FILES, BaseRecord, DataRecord, MergeRecord, RecipeRecord
from adapterkit.names import check_name
from adapterkit.problem import Problem


@dataclass(frozen=True)
class ArtifactDraft:
    """An adapter with everything that its artifact will say of it, before it has a version.

    Attributes:
        name: the adapter's name; the registry gives the version.
        adapter_dir: a folder with adapter_config.json and adapter_model.safetensors; other files in it stay behind.
        parents: the ancestors root-first, without the adapter itself.
        base: the base as the training met it.
        base_location: what `AutoModelForCausalLM.from_pretrained` takes to load that base: a hub id or a folder.
        run_key: digest of what determined the result.
        training_config: the composed config as plain YAML.
        training_metrics: the evidence of the training: any JSON without NaN.
        metrics: the summary that the manifest and the card show.
        extra_files: further files by their name in the artifact, one of `OPTIONAL_FILES`.
        custom: further fields, as plain JSON.
        started_from: `weights_digest` of the adapter whose weights the run started from, when it did not start fresh.
        merged_from: what a merge combined.
        merge: how.
        recipe: how the training was asked for.
    """

    name: str
    adapter_dir: Path
    parents: tuple[LineageMember, ...]
    base: BaseRecord
    base_location: str
    data: DataRecord
    run_key: str
    training_config: str
    training_metrics: Mapping[str, Any]
    metrics: Mapping[str, float] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""
    intended_use: str = ""
    tags: tuple[str, ...] = ()
    custom: Mapping[str, Any] = field(default_factory=dict)
    extra_files: Mapping[str, Path] = field(default_factory=dict)
    started_from: str | None = None
    merged_from: tuple[LineageMember, ...] = ()
    merge: MergeRecord | None = None
    recipe: RecipeRecord | None = None

    def __post_init__(self) -> None:
        check_name(self.name)
        if strays := sorted(set(self.extra_files) - set(OPTIONAL_FILES)):
            raise ArtifactError(
                f"An artifact has no place for {', '.join(strays)}. extra_files may name: {', '.join(OPTIONAL_FILES)}.",
                [Problem(name, "does not belong to an artifact") for name in strays],
            )
