"""A merge that is wanted: its sources measured, merged, the result measured and proven, and published."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from adapterkit.artifacts import Artifact, ArtifactDraft
from adapterkit.manifest import BaseRecord, DataRecord, MergeRecord
from adapterkit.merging.factors import Factors
from adapterkit.merging.merge import merge as merge_factors
from adapterkit.registry import Published
from adapterkit.stores import scratch_directory
from adapterkit.workflows import say_merge
from adapterkit.workflows.combined import DTYPES, Combined, environment_of, factors_of, write_plain
from adapterkit.workflows.held_out import NOT_ASKED, Text, recorded_text
from adapterkit.workflows.merge_plan import MergePlan
from adapterkit.workflows.merge_trial import Kept, MergeProof, Trial
from adapterkit.workflows.recorded import config_yaml
from adapterkit.workflows.run_directory import RunDirectory

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Made:
    """One merge, through.

    Attributes:
        plan: what was merged, with the weights that it was merged by.
        found: what it came to.
        base: the base; with its fingerprints where it was loaded.
        kept: of each source.
        proof: null where it was not asked for.
    """

    plan: MergePlan
    found: Combined
    base: BaseRecord
    kept: Sequence[Kept]
    proof: MergeProof | None


def make(plan: MergePlan) -> Published:
    """Carry a merge out, and say what it came to.

    Raises:
        AdapterKitError: anything that stands against it; nothing is published then.
    """
    with RunDirectory(Path(plan.config.output_dir), plan.key) as run:
        artifact, made = _carry_out(plan)
        run.copy_artifact(artifact)
    say_merge.published(artifact, plan.registry, made.kept, made.proof)
    return artifact


def _carry_out(plan: MergePlan) -> tuple[Published, _Made]:
    texts = [_text_of(plan, source) for source in plan.sources]
    needed = plan.config.test_decode_parity or any(not text.why for text in texts)
    trial = Trial(plan) if needed else None
    losses = trial.sources(texts) if trial else []
    plan = plan.weighed([each.measured for each in losses])
    found = _merged(plan)
    with scratch_directory() as scratch:
        where = write_plain(found, plan.identity, scratch)
        kept, proof = trial.merged(scratch, losses) if trial else (_unmeasured(plan, texts), None)
        base = trial.unchanged() if trial else BaseRecord(plan.identity, "", "", 0)
        made = _Made(plan, found, base, kept, proof)
        return plan.registry.publish(_draft(made, scratch, where)), made


def _unmeasured(plan: MergePlan, texts: Sequence[Text]) -> list[Kept]:
    return [Kept(str(each.ref), text.source, text.why) for each, text in zip(plan.sources, texts, strict=True)]


def _text_of(plan: MergePlan, source: Artifact) -> Text:
    if plan.text is not None:
        return plan.text
    return recorded_text(source) if plan.config.held_out.recorded else NOT_ASKED


def _merged(plan: MergePlan) -> Combined:
    factors: list[Mapping[str, Factors]] = [factors_of(each, "merged") for each in plan.sources]
    _log.info("Merging %s by %s", ", ".join(str(each.ref) for each in plan.sources), plan.options.method)
    with tqdm(desc="Merging", unit="layer", leave=False, disable=not sys.stderr.isatty()) as bar:

        def layer_done(done: int, of: int) -> None:
            bar.total, bar.n = of, done
            bar.refresh()

        merged = merge_factors(factors, plan.options, layer_done=layer_done)
    return Combined(merged.modules, merged.errors, DTYPES[plan.dtype])


def _draft(made: _Made, adapter: Path, base_location: str) -> ArtifactDraft:
    plan, config = made.plan, made.plan.config
    refs = [str(each.ref) for each in plan.sources]
    asked = {"asked": list(config.adapters), **({"weighed_by": plan.weighed_by} if plan.weighed_by else {})}
    return ArtifactDraft(
        name=plan.name,
        adapter_dir=adapter,
        parents=tuple(parent.manifest.lineage.members[-1] for parent in plan.parents),
        base=made.base,
        base_location=base_location,
        data=DataRecord(f"nothing of its own: merged from {', '.join(refs)}", "", 0, 0),
        run_key=plan.key,
        training_config=config_yaml(config),
        training_metrics=_evidence(made),
        metrics=_metrics(made),
        environment=environment_of(),
        description=config.description or f"{' and '.join(refs)}, merged by {plan.options.method}.",
        intended_use=config.intended_use,
        tags=tuple(dict.fromkeys(("merged", *config.tags))),
        merged_from=tuple(each.manifest.lineage.members[-1] for each in plan.sources),
        merge=MergeRecord(plan.options.method, plan.options.weights, {**plan.counted, **asked}, made.found.errors),
    )


def _evidence(made: _Made) -> dict[str, Any]:
    """What the result is made of, layer by layer, what each source kept, and what was proven."""
    sources = [
        {
            "ref": str(each.ref),
            "weights_digest": each.manifest.weights_digest,
            "weight": weight,
            "variant": each.manifest.adapter.variant,
            "parameters": each.manifest.adapter.parameters,
        }
        for each, weight in zip(made.plan.sources, made.plan.options.weights, strict=True)
    ]
    merge = {"sources": sources, "left_out_by_the_rank": made.found.left_out, "layers": made.found.layers}
    proof = {} if made.proof is None else {"decode_parity": made.proof.to_json()}
    return {"merge": merge, "held_out": [each.to_json() for each in made.kept], **proof}


def _metrics(made: _Made) -> dict[str, float]:
    kept = {f"kept_{each.ref}": each.share for each in made.kept if each.share is not None}
    return {"left_out_by_the_rank": made.found.left_out, **made.found.summary, **kept}
