"""Whether the ancestors that a lineage names are intact, and still the ones it was bound to; no disk is touched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from adapterkit.artifacts import VerificationReport
from adapterkit.lineage import Lineage, LineageMember
from adapterkit.problem import Problem


def unlike_the_bound(
    lineage: Lineage, parents: tuple[LineageMember, ...], reports: Sequence[VerificationReport | None]
) -> list[Problem]:
    """Compare the ancestors of a lineage with what was found of them.

    Args:
        lineage: the lineage as its last member tells it; its base is compared with every ancestor's.
        parents: the ancestors, root-first.
        reports: what each of them, verified by itself, came to; None where the registry does not hold it.

    Returns:
        What is wrong, each under `ref` or `ref/file`.
    """
    return [
        problem
        for position, report in enumerate(reports, start=1)
        for problem in _member_problems(lineage, parents[:position], report)
    ]


def _member_problems(
    lineage: Lineage, chain: tuple[LineageMember, ...], report: VerificationReport | None
) -> Iterator[Problem]:
    ref = str(chain[-1].ref)
    if report is None:
        yield Problem(ref, "is missing from the registry, and this adapter is another model without it")
        return
    yield from (replace(found, file=f"{ref}/{found.file}") for found in report.problems)
    if report.manifest is None:
        return
    found, bound = report.manifest.weights_digest, chain[-1].weights_digest
    if found != bound:
        yield Problem(ref, f"was changed: its weights_digest is {found[:12]}..., and the lineage binds {bound[:12]}...")
    descendants = {member.ref for member in lineage.members[len(chain) :]}
    circle = [member.ref for member in report.manifest.lineage.parents if member.ref in descendants]
    if circle:
        # Digests cover weights, not lineages, so a forger can make these agree.
        yield Problem(ref, f"names its own descendant {circle[0]} as an ancestor: the lineage goes round in a circle")
    elif report.manifest.lineage.members[:-1] != chain[:-1]:
        told = " <- ".join(str(member.ref) for member in chain)
        yield Problem(ref, f"tells its own lineage as {report.manifest.lineage}, not as {told}")
    for what in report.manifest.lineage.base.differs_from(lineage.base):
        yield Problem(ref, f"was trained on another base: {what}")
