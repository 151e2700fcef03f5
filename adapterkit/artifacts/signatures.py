"""Whether the signatures of an artifact were made with keys that somebody trusts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapterkit.artifacts.checksums import read_checksums
from adapterkit.artifacts.keys import PublicKey
from adapterkit.artifacts.openssf import openssf_problem
from adapterkit.artifacts.signature_files import ED25519_BYTES, ED25519_FILE, MAX_OPENSSF_BYTES, SIGNATURE_FILES
from adapterkit.errors import ArtifactError
from adapterkit.manifest import CHECKSUMS_FILE
from adapterkit.problem import MISMATCH, UNSIGNED, Problem
from adapterkit.stores import read_file

# Whoever changes the files can write their table anew, or take a signature away: neither is called sound.
WAYS_OUT: Mapping[str, str] = {
    UNSIGNED: "Give the public half of the key that it was signed with, --key KEY.pub.pem; or, where you made it "
    "yourself and it was never signed: adapterkit sign {ref} --key KEY.pem",
    MISMATCH: "It was signed with another key, or the files and their checksums were replaced since. Give the public "
    "half of the key that you expect, --key KEY.pub.pem; if it still does not match, get the artifact again. Where you "
    "made it yourself: adapterkit sign {ref} --key KEY.pem --replace",
}
_KINDS: Mapping[str, str] = {"ed25519": "an Ed25519 key", "openssf": "an elliptic-curve key"}


@dataclass(frozen=True)
class SignatureCheck:
    """What was found, and the fingerprints of the keys that signed.

    The problems are all `unsigned` where no given key could check anything, else `mismatch`.
    """

    problems: tuple[Problem, ...]
    signers: tuple[str, ...]


def present_signatures(directory: Path) -> tuple[str, ...]:
    """The signature files that a directory holds."""
    return tuple(file for file in SIGNATURE_FILES.values() if (directory / file).is_file())


def check_signatures(directory: Path, digest: str, keys: Sequence[PublicKey]) -> SignatureCheck:
    """Demand a valid signature by one of the keys.

    Every signature that is there, and whose kind of key was given, must be valid by one of them; one at least must be
    there. A signature whose kind of key was not given is left alone.

    Args:
        directory: an artifact whose bytes were verified.
        digest: its artifact digest, from that verification.
        keys: whom the caller trusts, at least one.

    Raises:
        MissingExtraError: an OpenSSF signature is there with a key to check it, and model-signing is not installed.
    """
    there = {kind: file for kind, file in SIGNATURE_FILES.items() if file in present_signatures(directory)}
    problems, signers = [], []
    for kind, file in there.items():
        fitting = [key for key in keys if key.format == kind]
        refusals = {key.fingerprint: signature_problem(directory, digest, key) for key in fitting}
        valid = [fingerprint for fingerprint, what in refusals.items() if what is None]
        signers += valid
        if fitting and not valid:
            told = "; ".join(dict.fromkeys(what for what in refusals.values() if what))
            problems.append(Problem(file, told, MISMATCH))
    if not signers and not problems:
        problems += _unsigned(there, keys)
    return SignatureCheck(tuple(problems), tuple(signers))


def signature_problem(directory: Path, digest: str, key: PublicKey) -> str | None:
    """Say why an artifact's signature of a key's kind is not this key's, or None when it is.

    Raises:
        MissingExtraError: as `check_signatures`.
    """
    try:
        signature = read_file(directory / SIGNATURE_FILES[key.format], limit=MAX_OPENSSF_BYTES)
        return made_problem(directory, digest, key, signature)
    except ArtifactError as error:
        return str(error)


def made_problem(directory: Path, digest: str, key: PublicKey, signature: bytes) -> str | None:
    """The same, for a signature in memory.

    Raises:
        ArtifactError: checksums.json is not the one of that digest.
        MissingExtraError: as `check_signatures`.
    """
    checksums = read_checksums(directory)
    if checksums.digest != digest:
        raise ArtifactError.of(CHECKSUMS_FILE, "changed since it was verified")
    if key.format == "openssf":
        return openssf_problem(directory, signature, {**checksums.files, CHECKSUMS_FILE: digest}, key)
    return _ed25519_problem(checksums.data, signature, key)


def _ed25519_problem(data: bytes, signature: bytes, key: PublicKey) -> str | None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    assert isinstance(key.key, Ed25519PublicKey)
    if len(signature) != ED25519_BYTES:
        return f"has {len(signature)} bytes, not {ED25519_BYTES}"
    try:
        key.key.verify(signature, data)
    except InvalidSignature:
        return f"was not made with the key {key.path} ({key.fingerprint[:16]}...), or was changed"
    return None


def _unsigned(there: Mapping[str, str], keys: Sequence[PublicKey]) -> Iterator[Problem]:
    if not there:
        given = " or ".join(str(key.path) for key in keys)
        yield Problem(ED25519_FILE, f"is missing, and a signature by {given} was asked for", UNSIGNED)
    for kind, file in there.items():
        yield Problem(file, f"cannot be checked: it takes {_KINDS[kind]}, and none was given", UNSIGNED)
