"""Keys for signatures, read from PEM files: Ed25519 for the plain format, elliptic curves for OpenSSF's."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapterkit.digest import sha256_bytes
from adapterkit.errors import KeyFileError, UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PASSWORD_VARIABLE = "ADAPTERKIT_KEY_PASSWORD"
KeyPath = str | os.PathLike[str]
_MAX_BYTES = 65_536
# The curves that model-signing takes.
_CURVES = ("secp256r1", "secp384r1", "secp521r1")
# openssl overwrites what it is told to write: never the name of a key that somebody may have.
_MAKE_PRIVATE = "openssl genpkey -algorithm ed25519 -out ed25519_key.pem"
_MAKE_CURVE = "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec_key.pem"


@dataclass(frozen=True)
class PublicKey:
    """What a signature is checked with.

    Attributes:
        path: the file it came from.
        format: `ed25519` or `openssf`, the signatures it can check.
        key: the key itself.
        fingerprint: hex sha256 of its DER form: `openssl pkey -pubin -in PUB.pem -outform DER | sha256sum`.
    """

    path: Path
    format: str
    key: Ed25519PublicKey | EllipticCurvePublicKey
    fingerprint: str

    def require_format(self, wanted: str | None) -> None:
        """Demand a key of the kind that a format is made with; None takes any.

        Raises:
            KeyFileError: it is of the other kind.
        """
        if wanted is not None and wanted != self.format:
            make = _MAKE_PRIVATE if wanted == "ed25519" else _MAKE_CURVE
            raise KeyFileError(
                self.path, f"makes signatures of the format {self.format}, not {wanted}", f"Make another: {make}"
            )


@dataclass(frozen=True)
class PrivateKey:
    """What a signature is made with; neither the key nor its password ever shows in a message."""

    path: Path
    key: Ed25519PrivateKey | EllipticCurvePrivateKey = field(repr=False)
    password: bytes | None = field(repr=False)
    public: PublicKey

    @property
    def format(self) -> str:
        """`ed25519` or `openssf`, the signatures it makes."""
        return self.public.format


def public_keys(paths: KeyPath | Sequence[KeyPath]) -> tuple[PublicKey, ...]:
    """Read the keys that somebody trusts.

    Raises:
        UsageError: one is not a path; the message does not quote it, since it may be the key itself.
        KeyFileError: a file is not the public half of an Ed25519 or elliptic-curve key.
    """
    listed: Any = [paths] if isinstance(paths, str | os.PathLike) else paths
    if not isinstance(listed, Iterable) or isinstance(listed, bytes):
        raise UsageError(_no_path(listed))
    return tuple(_public_key(_as_path(path)) for path in listed)


def private_key(path: KeyPath) -> PrivateKey:
    """Read the key to sign with; an encrypted one is opened with `$ADAPTERKIT_KEY_PASSWORD`.

    Raises:
        KeyFileError: the file is not the private half of an Ed25519 or elliptic-curve key, or its password is missing
            or wrong.
    """
    where = Path(path)
    data = _read(where)
    if b"PUBLIC KEY-----" in data:
        raise KeyFileError(where, "is a public key, and signing takes the private half", f"Make a key: {_MAKE_PRIVATE}")
    key, password = _open(where, data)
    return PrivateKey(where, key, password, _described(where, key.public_key()))


def _as_path(path: KeyPath) -> Path:
    try:
        return Path(path)
    except TypeError:
        raise UsageError(_no_path(path)) from None


def _no_path(found: object) -> str:
    return (
        f"A {type(found).__name__} is not the path of a public key: give the paths of PEM files, such as "
        'keys=["ed25519_key.pub.pem"]; an empty list demands no signature.'
    )


def _public_key(path: Path) -> PublicKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    data = _read(path)
    if b"PRIVATE KEY-----" in data:
        raise KeyFileError(
            path,
            "is a private key; whoever checks needs, and should have, only the public half",
            f"Write it: openssl pkey -in {path} -pubout -out PUB.pem",
        )
    try:
        key: Any = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise KeyFileError(
            path, "is not a public key in PEM form", "Write one: openssl pkey -in KEY.pem -pubout -out PUB.pem"
        ) from None
    return _described(path, key)


def _open(path: Path, data: bytes) -> tuple[Any, bytes | None]:
    """The private key, and the password that opened it."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    refusals = (ValueError, UnsupportedAlgorithm)
    try:
        return load_pem_private_key(data, None), None
    except refusals:
        # `from None` here and below: the library's words would quote the file.
        raise KeyFileError(path, "is not a private key in PEM form", f"Make one: {_MAKE_PRIVATE}") from None
    except TypeError:
        # How the library says that the key is encrypted.
        password = os.environ.get(PASSWORD_VARIABLE, "").encode("utf-8")
    if not password:
        fix = f"Give its password: export {PASSWORD_VARIABLE}=..., and run this again"
        raise KeyFileError(path, "is encrypted", fix)
    try:
        return load_pem_private_key(data, password), password
    except refusals:
        raise KeyFileError(path, f"cannot be opened with the password in {PASSWORD_VARIABLE}", "") from None


def _described(path: Path, key: Any) -> PublicKey:
    """The key with its format and fingerprint.

    Raises:
        KeyFileError: it is of a kind that no signature here is made with.
    """
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    if isinstance(key, Ed25519PublicKey):
        kind = "ed25519"
    elif isinstance(key, EllipticCurvePublicKey) and key.curve.name in _CURVES:
        kind = "openssf"
    else:
        name = key.curve.name if isinstance(key, EllipticCurvePublicKey) else type(key).__name__
        raise KeyFileError(
            path,
            f"is of a kind that is not used here ({name.strip('_').removesuffix('PublicKey')})",
            f"Make an Ed25519 key: {_MAKE_PRIVATE}; or, for --format openssf: {_MAKE_CURVE}",
        )
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(path, kind, key, sha256_bytes(der))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES)
    except (OSError, ValueError) as error:
        raise KeyFileError(path, f"cannot be read: {getattr(error, 'strerror', None) or error}", "") from error
