"""Verify what is published: a version by itself, the ancestors of a lineage, or all its members, which are read."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from adapterkit.artifacts import Artifact, PublicKey, VerificationReport, from_report, verify_directory
from adapterkit.errors import ArtifactError, RefNotFoundError
from adapterkit.lineage import Lineage, LineageMember
from adapterkit.manifest import CHECKSUMS_FILE, MANIFEST_FILE, Manifest
from adapterkit.names import AdapterRef
from adapterkit.problem import Problem
from adapterkit.registry.ancestry import unlike_the_bound
from adapterkit.registry.resolving import Resolved, resolve
from adapterkit.texts import in_registry, listed


def verify_one(found: Resolved, keys: Sequence[PublicKey] = ()) -> VerificationReport:
    """Verify a version by itself: its bytes, that it is what its directory names, and what its alias was moved to."""
    report = dataclasses.replace(verify_directory(found.path, keys=keys), ref=found.ref)
    problems = list(report.problems)
    if report.manifest is not None and report.manifest.ref != found.ref:
        problems.append(Problem(MANIFEST_FILE, misplaced(report.manifest, found.ref)))
    if None not in (report.digest, found.artifact_digest) and report.digest != found.artifact_digest:
        problems.append(Problem(CHECKSUMS_FILE, "is another one than when the alias was moved here"))
    return dataclasses.replace(report, problems=tuple(problems))


def ancestor_problems(
    registry: Path, lineage: Lineage, parents: tuple[LineageMember, ...], keys: Sequence[PublicKey] = ()
) -> list[Problem]:
    """What is wrong with the ancestors that a lineage names, as they are in a registry's folder."""
    return unlike_the_bound(lineage, parents, [_verify_if_held(registry, member, keys) for member in parents])


def verified_lineage(registry: Path, found: Resolved, keys: Sequence[PublicKey] = ()) -> list[Artifact]:
    """Every member of a version's lineage, root-first, each verified once; the version itself is the last.

    Raises:
        RefNotFoundError: the registry does not hold an ancestor.
        ArtifactError: a member is damaged, is not the one that was built on, or is not signed as demanded.
    """
    itself = from_report(verify_one(found, keys))
    lineage = itself.manifest.lineage
    reports, members = list[VerificationReport](), list[Artifact]()
    for parent in lineage.parents:
        reports.append(verify_one(_parent_of(itself, parent, registry), keys))
        members.append(from_report(reports[-1]))
    if problems := unlike_the_bound(lineage, lineage.parents, reports):
        raise ArtifactError(f"The lineage of {itself.ref} does not hold.{listed(problems)}", problems)
    return [*members, itself]


def _parent_of(itself: Artifact, parent: LineageMember, registry: Path) -> Resolved:
    try:
        return resolve(registry, parent.ref)
    except RefNotFoundError as missing:
        why = (
            f"{itself.ref} stands on {parent.ref}, which the registry {registry} does not hold: bring it back, or see "
            f"how it is made again: {in_registry('adapterkit rebuild --dry-run', registry)}"
        )
        raise RefNotFoundError(missing.ref, registry, missing.nearest, why=why) from missing


def misplaced(manifest: Manifest, ref: AdapterRef) -> str:
    """What is said of a manifest that lies in the directory of another ref."""
    return f"is the manifest of {manifest.ref}, and its directory is that of {ref}: a directory was renamed or copied"


def _verify_if_held(registry: Path, member: LineageMember, keys: Sequence[PublicKey]) -> VerificationReport | None:
    try:
        return verify_one(resolve(registry, member.ref), keys)
    except RefNotFoundError:
        return None
