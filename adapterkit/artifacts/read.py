"""Read an artifact only after it has been verified."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from adapterkit.artifacts.checksums import read_checksums
from adapterkit.artifacts.verify import VerificationReport, verify_directory
from adapterkit.digest import sha256_bytes
from adapterkit.errors import ArtifactError
from adapterkit.manifest import CHECKSUMS_FILE, WEIGHTS_FILE, Manifest
from adapterkit.names import AdapterRef


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
        ArtifactError: the report names problems; every one is listed.
    """
    if report.problems or report.manifest is None or report.digest is None:
        lines = [str(problem) for problem in report.problems]
        listed = "".join(f"\n  {line}" for line in lines)
        raise ArtifactError(
            f"The artifact in {report.path} is not intact: {len(lines)} problem{'s' * (len(lines) != 1)}.{listed}\n"
            "It was damaged or edited after it was published; copy it again, or train it again with force=true.",
            lines,
        )
    return Artifact(report.path, report.manifest, report.digest)


def verified_weights(artifact: Artifact) -> bytes:
    """The bytes of the weights file, and exactly those that were hashed: pass them to `safetensors.torch.load`.

    The file is read once. Loading it again by its path could meet other bytes than the ones that were checked.

    Raises:
        ArtifactError: checksums.json is not the one that was verified, or the weights are not the ones it lists.
    """
    checksums = read_checksums(artifact.path)
    if checksums.digest != artifact.digest:
        raise _changed(artifact, CHECKSUMS_FILE)
    try:
        data = (artifact.path / WEIGHTS_FILE).read_bytes()
    except OSError as error:
        line = f"{WEIGHTS_FILE}: cannot be read: {error.strerror or error}"
        raise ArtifactError(f"{artifact.path}: {line}", [line]) from error
    if sha256_bytes(data) != checksums.files[WEIGHTS_FILE]:
        raise _changed(artifact, WEIGHTS_FILE)
    return data


def _changed(artifact: Artifact, file: str) -> ArtifactError:
    line = f"{file}: changed since {artifact.ref} was verified"
    return ArtifactError(f"{line}, in {artifact.path}. See: adapterkit verify {artifact.ref}", [line])
