"""Verify what a ref leads to: by itself, with its ancestors, or as a lineage whose members are read."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from adapterkit.artifacts import Artifact, Problem, PublicKey, VerificationReport, from_report, verify_directory
from adapterkit.errors import ArtifactError, RefNotFoundError
from adapterkit.lineage import Lineage, LineageMember
from adapterkit.manifest import CHECKSUMS_FILE, MANIFEST_FILE, Manifest
from adapterkit.names import AdapterRef
from adapterkit.registry.ancestry import ancestor_problems
from adapterkit.registry.resolving import Resolved, resolve
from adapterkit.texts import listed


def verify_one(found: Resolved, keys: Sequence[PublicKey] = ()) -> VerificationReport:
    """Verify a version by itself: its bytes, that it is what its directory names, and what its alias was moved to."""
    report = dataclasses.replace(verify_directory(found.path, keys=keys), ref=found.ref)
    problems = list(report.problems)
    if report.manifest is not None and report.manifest.ref != found.ref:
        problems.append(Problem(MANIFEST_FILE, misplaced(report.manifest, found.ref)))
    if None not in (report.digest, found.artifact_digest) and report.digest != found.artifact_digest:
        problems.append(Problem(CHECKSUMS_FILE, "is another one than when the alias was moved here"))
    return dataclasses.replace(report, problems=tuple(problems))


def problems_of_ancestors(
    registry: Path, lineage: Lineage, parents: tuple[LineageMember, ...], keys: Sequence[PublicKey] = ()
) -> list[Problem]:
    """What is wrong with the ancestors that a lineage names, as they are in a registry's folder."""
    return ancestor_problems(lineage, parents, partial(_verify_if_held, registry, keys))


def verified_lineage(registry: Path, found: Resolved, keys: Sequence[PublicKey] = ()) -> list[Artifact]:
    """Every member of a version's lineage, root-first, each verified once; the version itself is the last.

    Raises:
        RefNotFoundError: the registry does not hold an ancestor.
        ArtifactError: a member is damaged, is not the one that was built on, or is not signed as demanded.
    """
    itself = from_report(verify_one(found, keys))
    lineage, members = itself.manifest.lineage, list[Artifact]()
    reports: dict[AdapterRef, VerificationReport] = {}
    for parent in lineage.parents:
        reports[parent.ref] = verify_one(resolve(registry, parent.ref), keys)
        members.append(from_report(reports[parent.ref]))
    if problems := [str(problem) for problem in ancestor_problems(lineage, lineage.parents, reports.get)]:
        raise ArtifactError(f"The lineage of {itself.ref} does not hold.{listed(problems)}", problems)
    return [*members, itself]


def misplaced(manifest: Manifest, ref: AdapterRef) -> str:
    """What is said of a manifest that lies in the directory of another ref."""
    return f"is the manifest of {manifest.ref}, and its directory is that of {ref}: a directory was renamed or copied"


def _verify_if_held(registry: Path, keys: Sequence[PublicKey], ref: AdapterRef) -> VerificationReport | None:
    try:
        return verify_one(resolve(registry, ref), keys)
    except RefNotFoundError:
        return None
