"""Sign an intact artifact; the signature joins its directory whole, and never over another one unasked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from adapterkit.artifacts.checksums import read_checksums
from adapterkit.artifacts.keys import PrivateKey
from adapterkit.artifacts.openssf import sign_openssf
from adapterkit.artifacts.read import Artifact
from adapterkit.artifacts.signature_files import SIGNATURE_FILES
from adapterkit.artifacts.signatures import made_problem, signature_problem
from adapterkit.errors import SigningError
from adapterkit.stores import create_file, explained, flush_place, remove_stale_staging


@dataclass(frozen=True)
class Signature:
    """A signature that an artifact bears: its file, the key's fingerprint; `new` is False when it was there already."""

    path: Path
    fingerprint: str
    new: bool


def sign_artifact(artifact: Artifact, key: PrivateKey, *, replace: bool = False) -> Signature:
    """Sign an artifact that was verified just before.

    Args:
        artifact: what to sign.
        key: signs in the format of its kind.
        replace: put the signature in place of another one.

    Raises:
        SigningError: another signature is there and may not be replaced, or the new one does not hold.
        ArtifactError: the artifact changed since it was verified.
        MissingExtraError: the format needs model-signing, which is not installed.
        RegistryError: the disk refuses.
    """
    target = artifact.path / SIGNATURE_FILES[key.format]
    with explained(f"Looking for {target}"):
        there = target.exists()
    if there and signature_problem(artifact.path, artifact.digest, key.public) is None:
        # Whoever made it may have died, or been refused, before it was flushed and cleared up after.
        remove_stale_staging(target.parent.parent)
        flush_place(target)
        return Signature(target, key.public.fingerprint, new=False)
    signature = _made(artifact, key)
    if what := made_problem(artifact.path, artifact.digest, key.public, signature):
        raise SigningError(f"The new signature of {artifact.ref} does not hold: it {what}. Sign it again.")
    if not create_file(target, signature, staging=target.parent.parent, replace=replace):
        raise SigningError(
            f"{artifact.ref} bears another signature in {target.name}, by another key or a damaged one. To put this "
            f"key's in its place, add --replace."
        )
    return Signature(target, key.public.fingerprint, new=True)


def _made(artifact: Artifact, key: PrivateKey) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if isinstance(key.key, Ed25519PrivateKey):
        return key.key.sign(read_checksums(artifact.path).data)
    return sign_openssf(artifact.path, key)
