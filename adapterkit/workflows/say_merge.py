"""What a merge tells the person who started it, when it is through."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from adapterkit.artifacts import Artifact
from adapterkit.registry import Published, Registry
from adapterkit.workflows.say import loading_lines, meant_otherwise

if TYPE_CHECKING:
    from adapterkit.workflows.merge_trial import Kept, MergeProof

_log = logging.getLogger(__name__)


def already_there(artifact: Artifact, registry: Registry) -> None:
    """Say that nothing had to be merged."""
    _log.info(
        "%s is up to date: merged of exactly these adapters in exactly this way, and it verifies. force=true merges "
        "anyway", artifact.ref,
    )  # fmt: skip
    meant_otherwise(artifact.ref, registry)


def published(artifact: Published, registry: Registry, kept: Sequence[Kept], proof: MergeProof | None) -> None:
    """Say where the adapter is, what it kept of each source, what was lost, and how to load it.

    Args:
        artifact: what was published, or stood there already.
        registry: where.
        kept: of each source; empty where nothing was measured.
        proof: null where it was not asked for.
    """
    verb = "Published" if artifact.new else "Merged to the same weights as before, and left published as it was:"
    lines = ["", f"{verb} {artifact.ref}: {artifact.path}", *_facts(artifact)]
    lines += [f"  {'held out' if not place else '':14} {_told(each)}" for place, each in enumerate(kept)]
    if proof is not None:
        below = "its parent" if artifact.manifest.lineage.parents else "the base"
        lines.append(
            f"  proven         without its change {below}, and in plain PEFT the same numbers, to the last bit"
        )
    _log.info("\n".join([*lines, *loading_lines(artifact, registry)]))
    _warn(artifact, kept)


def _warn(artifact: Published, kept: Sequence[Kept]) -> None:
    """Of what is a merge by name alone, and of sources that are better off without it."""
    if len(artifact.manifest.merged_from) == 1:
        _log.warning("%s is made of %s alone: nothing was merged", artifact.ref, artifact.manifest.merged_from[0].ref)
    for each in kept:
        if each.without is not None and each.change is not None and each.change.after > each.without:
            _log.warning(
                "On rows of %s, %s does harm: %.3f nats a token, where without any of them it is %.3f. Other weights, "
                "or another method?", each.ref, artifact.ref, each.change.after, each.without,
            )  # fmt: skip


def _facts(artifact: Artifact) -> Iterator[str]:
    manifest, merge = artifact.manifest, artifact.manifest.merge
    assert merge is not None
    sources = zip(manifest.merged_from, merge.weights, strict=True)
    yield f"  from           {', '.join(f'{member.ref} x {weight:.4g}' for member, weight in sources)}"
    told = {key: value for key, value in merge.options.items() if key != "asked"}
    yield f"  by             {', '.join([merge.method, *(f'{key} {value}' for key, value in told.items())])}"
    yield f"  lineage        {manifest.lineage}"
    layer, worst = merge.worst
    left = manifest.metrics["left_out_by_the_rank"]
    yield (
        f"  left out       {left:.1%} of the exact change by the rank, at most {worst:.1%}, in {layer}"
        if left
        else "  left out       nothing: the rank holds the exact change"
    )


def _told(kept: Kept) -> str:
    if kept.without is None or kept.change is None:
        return f"{kept.ref}: not measured{f' on {kept.source}' if kept.source else ''}, {kept.why}"
    change = kept.change
    share = "it gained nothing" if kept.share is None else f"{kept.share:.0%} kept"
    return (
        f"{kept.ref}: {share}; {kept.without:.3f} without, {change.before:.3f} by itself, {change.after:.3f} merged, "
        f"nats a token, {change.rows} rows"
    )
