"""The config that an artifact was made from: as YAML that may be published, and read back without trusting it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, cast

import yaml

from adapterkit.artifacts import MAX_YAML_BYTES, yaml_problem
from adapterkit.config.literal import literal
from adapterkit.config.merge_schema import MergeConfig
from adapterkit.config.redaction import REDACTED, redact
from adapterkit.config.schema import TrainConfig
from adapterkit.errors import ArtifactError, UsageError
from adapterkit.manifest import TRAINING_CONFIG_FILE
from adapterkit.problem import Problem
from adapterkit.stores import read_file
from adapterkit.texts import first_line_of

# A key that a merge's config has, and no training's.
_ADAPTERS = "adapters"


def config_yaml(config: TrainConfig | MergeConfig) -> str:
    """The whole config as YAML, as it goes into the artifact: without the places it ran in, and without secrets.

    Raises:
        UsageError: it holds what no artifact may, such as an interpolation in a prompt.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    plain = dataclasses.asdict(config)
    for place in ("registry", "output_dir"):
        plain.pop(place)
    try:
        text = OmegaConf.to_yaml(OmegaConf.create(redact(plain)))
    except OmegaConfBaseException as error:
        raise UsageError(f"This config cannot be saved: {error}. A text may not hold '${{'.") from error
    if what := yaml_problem(text.encode("utf-8")):
        raise UsageError(f"This config could not be published afterwards: saved as YAML it {what}.")
    return text


def recorded_config(artifact: Path) -> TrainConfig:
    """`training_config.yaml` as a typed config; `registry` and `output_dir` are empty, since places are not recorded.

    Args:
        artifact: the artifact's directory.

    Raises:
        ArtifactError: the file is not plain YAML, or not a training's config: an imported adapter records none.
    """
    plain, what = _plain(artifact)
    if "imported" in plain:
        what = "records an import and no training: nobody here knows how it was trained"
    elif "flatten" in plain:
        what = "records what was flattened and no training: make it again with adapterkit flatten"
    elif _ADAPTERS in plain:
        what = "records a merge and no training: make it again with adapterkit rebuild, or adapterkit merge"
    return cast(TrainConfig, _typed(artifact, TrainConfig, plain, what, "training"))


def recorded_merge(artifact: Path) -> MergeConfig:
    """The same of a merge.

    Raises:
        ArtifactError: the file is not plain YAML, or not a merge's config.
    """
    plain, what = _plain(artifact)
    return cast(MergeConfig, _typed(artifact, MergeConfig, plain, what, "merge"))


def _plain(artifact: Path) -> tuple[dict[str, Any], str | None]:
    """What the file says, and what is wrong with it."""
    data = read_file(artifact / TRAINING_CONFIG_FILE, limit=MAX_YAML_BYTES)
    what = yaml_problem(data)
    return (literal(yaml.safe_load(data)) if what is None else {}), what


def _typed(artifact: Path, schema: type, plain: Any, what: str | None, kind: str) -> Any:
    # A look at a family reads records where something changed, and nowhere else.
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    if what is None:
        try:
            whole = OmegaConf.merge(OmegaConf.structured(schema), {**plain, "registry": "", "output_dir": ""})
            return OmegaConf.to_object(whole)
        except (OmegaConfBaseException, ValueError, TypeError) as error:
            what = f"is not the config of a {kind} that this adapterkit knows: {first_line_of(error)}"
    raise ArtifactError(f"{artifact}: {TRAINING_CONFIG_FILE} {what}", [Problem(TRAINING_CONFIG_FILE, what)])


def require_whole(config: TrainConfig, ref: str) -> None:
    """Go on only with a config that says all that it was trained from.

    Raises:
        UsageError: a secret was taken out of it.
    """
    if REDACTED in str([config.model, config.data]):
        raise UsageError(
            f"{ref} was trained with a secret in its data or model settings, which is not kept: give its command again."
        )
