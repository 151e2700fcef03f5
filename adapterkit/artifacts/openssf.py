"""Signatures in the OpenSSF model-signing format: made and checked by its own package, read strictly here first."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapterkit.artifacts.keys import PrivateKey, PublicKey
from adapterkit.artifacts.signature_files import OPENSSF_FILE, SIGNATURE_FILES
from adapterkit.artifacts.strict_json import parse_json
from adapterkit.digest import sha256_bytes
from adapterkit.errors import ArtifactError, MissingExtraError

_MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_PAYLOAD_TYPE = "application/vnd.in-toto+json"
_PREDICATE = "https://model_signing/signature/v1.0"


def sign_openssf(directory: Path, key: PrivateKey) -> bytes:
    """The bundle that model-signing writes for a directory, over every file but the signatures.

    Raises:
        MissingExtraError: model-signing is not installed.
    """
    package = _package()
    hashing = package.hashing.Config().set_ignored_paths(paths=list(SIGNATURE_FILES.values()), ignore_git_paths=False)
    with tempfile.TemporaryDirectory() as scratch:
        written = Path(scratch) / OPENSSF_FILE
        signing = package.signing.Config().set_hashing_config(hashing)
        # Its annotation says text, and the library below it takes bytes.
        signing.use_elliptic_key_signer(private_key=key.path, password=key.password)
        signing.sign(directory, written)
        return written.read_bytes()


def openssf_problem(directory: Path, bundle: bytes, files: Mapping[str, str], key: PublicKey) -> str | None:
    """Say why a bundle is not this key's signature of a directory, or None when it is.

    Args:
        directory: the artifact.
        bundle: the bytes of its model.sig.
        files: sha256 of every file that the signature must cover, by name: no more, no fewer.
        key: an elliptic-curve key.

    Raises:
        MissingExtraError: model-signing is not installed.
    """
    try:
        payload = _payload(parse_json(bundle, OPENSSF_FILE), key)
        if (covered := _covered(parse_json(payload, OPENSSF_FILE))) != files:
            odd = sorted(name for name in {*covered, *files} if covered.get(name) != files.get(name))
            return f"does not cover the files as they are: {', '.join(odd[:5])}"
    except (ArtifactError, KeyError, TypeError, ValueError) as error:
        return f"is not a bundle of model-signing: {error}"
    return _refused(directory, bundle, key)


def _payload(bundle: Any, key: PublicKey) -> bytes:
    """The signed bytes; every part of the bundle that is not signed must be what model-signing writes.

    Otherwise bits could be flipped in it, and nobody would see.
    """
    envelope = bundle["dsseEnvelope"]
    (signature,) = envelope["signatures"]
    hint = sha256_bytes(_pem(key))
    expected = {
        "mediaType": _MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": hint}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": envelope["payload"],
            "payloadType": _PAYLOAD_TYPE,
            "signatures": [{"sig": signature["sig"], "keyid": ""}],
        },
    }
    if bundle["verificationMaterial"]["publicKey"]["hint"] != hint:
        raise ValueError("it was made with another key")
    if bundle != expected:
        raise ValueError("it holds other fields than a signature by a key has")
    _exact_base64(signature["sig"])
    return _exact_base64(envelope["payload"])


def _covered(statement: Any) -> dict[str, str]:
    """The files that a statement names, with their sha256."""
    predicate = statement["predicate"]
    serialization = predicate["serialization"]
    if statement["predicateType"] != _PREDICATE:
        raise ValueError("it is a statement of another kind")
    if (serialization["method"], serialization["hash_type"]) != ("files", "sha256"):
        raise ValueError("it does not list each file by its sha256")
    if any(resource["algorithm"] != "sha256" for resource in predicate["resources"]):
        raise ValueError("it does not list each file by its sha256")
    return {resource["name"]: resource["digest"] for resource in predicate["resources"]}


def _refused(directory: Path, bundle: bytes, key: PublicKey) -> str | None:
    """What model-signing itself says, given the very bytes that were read here."""
    from cryptography.exceptions import InvalidSignature

    package = _package()
    with tempfile.TemporaryDirectory() as scratch:
        signature, public = Path(scratch) / OPENSSF_FILE, Path(scratch) / "public.pem"
        signature.write_bytes(bundle)
        public.write_bytes(_pem(key))
        try:
            package.verifying.Config().use_elliptic_key_verifier(public_key=public).verify(directory, signature)
        except InvalidSignature:
            return "was not made with this key, or was changed"
        except (ValueError, KeyError, TypeError, OSError) as error:
            return f"is refused by model-signing: {error}"
    return None


def _exact_base64(text: str) -> bytes:
    data = base64.b64decode(text, validate=True)
    # The last letter may hold bits that decode to nothing.
    if base64.b64encode(data).decode("ascii") != text:
        raise ValueError("its base64 is not in the one exact form")
    return data


def _pem(key: PublicKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _package() -> Any:
    try:
        import model_signing
        import model_signing.hashing
        import model_signing.signing
        import model_signing.verifying
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            (error.name or "model-signing").replace("_", "-"),
            "signatures in the OpenSSF format",
            "pip install 'adapterkit[openssf]'",
        ) from error
    return model_signing
