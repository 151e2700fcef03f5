"""From what a training came to, to what the registry needs to publish it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from adapterkit.artifacts.draft import ArtifactDraft
from adapterkit.config.asked import Asked
from adapterkit.config.schema import TrainConfig
from adapterkit.evaluation.parity import Parity
from adapterkit.manifest import BaseRecord, RecipeRecord
from adapterkit.training.fit import Fit
from adapterkit.training.run_key import TRAINING_SCHEMA, data_settings_digest, settings_digest
from adapterkit.workflows.preparing import Plan
from adapterkit.workflows.recorded import config_yaml
from adapterkit.workflows.run_directory import RunDirectory
from adapterkit.workflows.tested import Tested


@dataclass(frozen=True)
class Trained:
    """One training, through.

    Attributes:
        plan: what was trained.
        base: the base with its fingerprint before and after.
        run: where everything lies; the trainee's weights in `run.adapter`.
        result: metrics, history and environment.
        test: the test split.
        parity: of a child with its parent; None where it was not asked for.
    """

    plan: Plan
    base: BaseRecord
    run: RunDirectory
    result: Fit
    test: Tested
    parity: Parity | None


def draft_of(trained: Trained) -> ArtifactDraft:
    """What the registry needs to publish a training."""
    plan, result = trained.plan, trained.result
    config = plan.config
    metrics: dict[str, Any] = {**result.metrics, **trained.test.metrics}
    return ArtifactDraft(
        name=plan.name,
        adapter_dir=trained.run.adapter,
        parents=tuple(parent.manifest.lineage.members[-1] for parent in plan.parents),
        base=trained.base,
        base_location=str(plan.folder),
        data=plan.rows.record,
        run_key=plan.key,
        training_config=config_yaml(config),
        training_metrics={"summary": metrics, "history": result.history, **_parity(trained.parity)},
        metrics=metrics,
        environment=result.environment,
        description=config.description,
        intended_use=config.intended_use,
        # A recipe's own tags take the place of a preset's in the config; an artifact of both bears both.
        tags=tuple(dict.fromkeys((*config.tags, *config.adapter.tags))),
        custom=dict(config.custom),
        extra_files=trained.run.extra_files(),
        started_from=plan.started_from,
        recipe=_recipe(config, plan.asked),
    )


def _parity(parity: Parity | None) -> dict[str, Any]:
    return {} if parity is None else {"decode_parity": parity.to_json()}


def _recipe(config: TrainConfig, asked: Asked) -> RecipeRecord:
    return RecipeRecord(
        recipe=asked.recipe,
        overrides=asked.overrides,
        config_dir=asked.config_dir,
        sources=asked.sources,
        parent=config.parent,
        settings=settings_digest(config),
        rows=data_settings_digest(config),
        persona=config.persona,
        schema=TRAINING_SCHEMA,
    )
