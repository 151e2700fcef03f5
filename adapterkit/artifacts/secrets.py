"""What a draft says, without the secrets that somebody wrote into it: an artifact is made to be handed on."""

from __future__ import annotations

import dataclasses

import yaml

from adapterkit.artifacts.draft import ArtifactDraft
from adapterkit.artifacts.plain_yaml import yaml_problem
from adapterkit.config.redaction import redact
from adapterkit.manifest import RecipeRecord


def without_secrets(draft: ArtifactDraft) -> ArtifactDraft:
    """The same draft with `<redacted>` for every secret in its texts and tables; doing it twice changes nothing.

    What names the adapter, its base and its ancestors stays, since digests and refs hang on it.
    """
    data = dataclasses.replace(draft.data, source=redact(draft.data.source), origins=redact(dict(draft.data.origins)))
    return dataclasses.replace(
        draft,
        data=data,
        training_config=_yaml(draft.training_config),
        training_metrics=redact(dict(draft.training_metrics)),
        environment=redact(dict(draft.environment)),
        description=redact(draft.description),
        intended_use=redact(draft.intended_use),
        tags=tuple(redact(draft.tags)),
        custom=redact(dict(draft.custom)),
        recipe=_recipe(draft.recipe),
    )


def _recipe(recipe: RecipeRecord | None) -> RecipeRecord | None:
    if recipe is None:
        return None
    overrides, where = tuple(redact(recipe.overrides)), redact(recipe.config_dir)
    return dataclasses.replace(recipe, overrides=overrides, config_dir=where, persona=redact(recipe.persona))


def _yaml(text: str) -> str:
    """Only what is plain is parsed; whatever is not is refused when the staged artifact is verified."""
    if yaml_problem(text.encode("utf-8")) is not None:
        return text
    plain = yaml.safe_load(text)
    redacted = redact(plain)
    return text if redacted == plain else yaml.safe_dump(redacted, allow_unicode=True, sort_keys=False)
