"""Read an artifact only after it has been verified."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from adapterkit.artifacts.adapter_config import MAX_CONFIG_BYTES, LoraSettings, parse_adapter_config
from adapterkit.artifacts.checksums import read_checksums
from adapterkit.artifacts.signatures import WAYS_OUT
from adapterkit.artifacts.verify import MAX_WEIGHTS_BYTES, VerificationReport, verify_directory
from adapterkit.digest import sha256_bytes
from adapterkit.errors import ArtifactError, NotSignedError
from adapterkit.manifest import (
    ADAPTER_CONFIG_FILE,
    CHECKSUMS_FILE,
    MANDATORY_FILES,
    MANIFEST_FILE,
    WEIGHTS_FILE,
    Manifest,
)
from adapterkit.names import AdapterRef
from adapterkit.problem import UNSIGNED, Problem
from adapterkit.stores import read_file
from adapterkit.texts import counted, excerpt, in_registry, listed


@dataclass(frozen=True)
class Artifact:
    """One published version of an adapter, verified when this object was made.

    Attributes:
        path: its directory.
        manifest: what it says of itself.
        digest: the artifact digest, the sha256 of its checksums.json.
    """

    path: Path
    manifest: Manifest
    digest: str

    @property
    def ref(self) -> AdapterRef:
        """The exact ref."""
        return self.manifest.ref


def read_verified(path: Path) -> Artifact:
    """Verify a directory and read it.

    Raises:
        ArtifactError: anything is wrong with it; every problem is listed.
    """
    return from_report(verify_directory(path))


def from_report(report: VerificationReport) -> Artifact:
    """The artifact that a report found intact.

    Raises:
        NotSignedError: its files are as published, and no given key vouches for them.
        ArtifactError: the report names problems; every one is listed.
    """
    if report.agrees and report.problems:
        raise _not_signed(report)
    if report.problems or report.manifest is None or report.digest is None:
        refuse_hollow(report.path)
        raise ArtifactError(
            f"The artifact in {report.path} is not intact: {counted(len(report.problems), 'problem')}."
            f"{listed(report.problems)}\n"
            "It was damaged or edited after it was published; copy it again, or repeat the command that made it, which "
            "publishes a new version.",
            report.problems,
        )
    return Artifact(report.path, report.manifest, report.digest)


def refuse_hollow(path: Path) -> None:
    """Go on unless a folder holds not one file of an artifact: something else stands in the place of a version.

    Raises:
        ArtifactError: that is so; a folder that is not there, or cannot be listed, passes.
    """
    try:
        names = sorted(os.listdir(path))
    except (OSError, ValueError):
        return
    if any(name in MANDATORY_FILES for name in names):
        return
    held = f"holds {excerpt(names[0])} and no file of an artifact" if names else "is empty"
    fix = "Move it away" if names else f"Remove it: rmdir {shlex.quote(str(path))}"
    raise ArtifactError(
        f"{path} stands in the place of a version, and {held}: it was made by hand, or by another program. {fix}",
        [Problem(MANIFEST_FILE, "is missing")],
    )


def _not_signed(report: VerificationReport) -> NotSignedError:
    assert report.manifest is not None
    kind = report.problems[0].kind
    state = "is intact, and not signed by a given key" if kind == UNSIGNED else "bears a signature that does not match"
    ref = report.manifest.ref
    return NotSignedError(
        f"{ref} in {report.path} {state}.{listed(report.problems)}\n{WAYS_OUT[kind].format(ref=ref)}", report.problems
    )


def verified_weights(artifact: Artifact) -> bytes:
    """The bytes of the weights file, and exactly those that were hashed: pass them to `safetensors.torch.load`.

    The file is read once. Loading it again by its path could meet other bytes than the ones that were checked.

    Raises:
        ArtifactError: checksums.json is not the one that was verified, or the weights are not the ones it lists.
    """
    return _verified(artifact, WEIGHTS_FILE, MAX_WEIGHTS_BYTES)


def verified_settings(artifact: Artifact) -> LoraSettings:
    """What adapter_config.json says, from exactly the bytes that were verified.

    Raises:
        ArtifactError: as `verified_weights`.
    """
    return parse_adapter_config(_verified(artifact, ADAPTER_CONFIG_FILE, MAX_CONFIG_BYTES))


def _verified(artifact: Artifact, file: str, limit: int) -> bytes:
    checksums = read_checksums(artifact.path)
    if checksums.digest != artifact.digest:
        raise _changed(artifact, CHECKSUMS_FILE)
    data = read_file(artifact.path / file, limit=limit)
    if sha256_bytes(data) != checksums.files[file]:
        raise _changed(artifact, file)
    return data


def _changed(artifact: Artifact, file: str) -> ArtifactError:
    problem = Problem(file, f"changed since {artifact.ref} was verified")
    see = in_registry(f"adapterkit verify {artifact.ref}", artifact.path.parents[1])
    return ArtifactError(f"{problem}, in {artifact.path}. See: {see}", [problem])
