"""Keys for tests, made afresh: every kind that signs, and some that do not; and what is done with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from adapterkit.artifacts import Signature, private_key, public_keys, read_verified, sign_artifact, verify_directory


@dataclass(frozen=True)
class Pair:
    """The files of one key."""

    private: Path
    public: Path


def make_key(kind: str) -> Any:
    """A private key by the name of its kind."""
    makers = {
        "ed25519": ed25519.Ed25519PrivateKey.generate,
        "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
        "secp256k1": lambda: ec.generate_private_key(ec.SECP256K1()),
        "rsa": lambda: rsa.generate_private_key(65537, 2048),
        "dsa": lambda: dsa.generate_private_key(1024),
        "ed448": ed448.Ed448PrivateKey.generate,
    }
    return makers[kind]()


def key_pair(folder: Path, kind: str = "ed25519", *, name: str = "", password: str | None = None) -> Pair:
    """Write a new key's two halves as PEM files."""
    folder.mkdir(parents=True, exist_ok=True)
    key = make_key(kind)
    pair = Pair(folder / f"{name or kind}.pem", folder / f"{name or kind}.pub.pem")
    locked = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    pair.private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))
    pair.public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return pair


def sign(path: Path, pair: Pair, *, replace: bool = False) -> Signature:
    """Sign an artifact's directory."""
    return sign_artifact(read_verified(path), private_key(pair.private), replace=replace)


def problems(path: Path, *pairs: Pair) -> dict[str, str]:
    """What a verification with these keys finds, by file."""
    report = verify_directory(path, keys=public_keys([pair.public for pair in pairs]))
    return {problem.file: problem.what for problem in report.problems}
