"""Signatures as other tools see them: openssl, and model-signing with its command."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from model_signing._signing import sign_sigstore_pb

from adapterkit.artifacts import private_key, verify_directory
from adapterkit.artifacts.signature_files import ED25519_FILE, OPENSSF_FILE
from adapterkit.errors import MissingExtraError
from adapterkit.manifest import CARD_FILE, CHECKSUMS_FILE
from artifacts.keyring import Pair, problems, sign


def forged_bundle(artifact: Path, change: Callable[[dict[str, Any]], None], pair: Pair) -> None:
    """A bundle in which the owner of the key signed something else than the artifact as it is."""

    bundle = json.loads((artifact / OPENSSF_FILE).read_bytes())
    statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    change(statement)
    payload = json.dumps(statement).encode()
    key: Any = private_key(pair.private).key
    signature = key.sign(sign_sigstore_pb.pae(payload), ec.ECDSA(hashes.SHA256()))
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(signature).decode()
    (artifact / OPENSSF_FILE).write_text(json.dumps(bundle))


def drop_a_file(statement: dict[str, Any]) -> None:
    """Leave the card out and have it ignored: model-signing itself would accept that."""
    predicate = statement["predicate"]
    predicate["resources"] = [each for each in predicate["resources"] if each["name"] != CARD_FILE]
    predicate["serialization"]["ignore_paths"].append(CARD_FILE)
    joined = b"".join(bytes.fromhex(each["digest"]) for each in predicate["resources"])
    statement["subject"][0]["digest"]["sha256"] = hashlib.sha256(joined).hexdigest()


def test_a_signature_that_leaves_a_file_out_is_refused(artifact_dir: Path, keys: Callable[..., Pair]) -> None:
    pair = keys("p256")
    sign(artifact_dir, pair)
    forged_bundle(artifact_dir, lambda statement: None, pair)
    assert problems(artifact_dir, pair) == {}
    forged_bundle(artifact_dir, drop_a_file, pair)
    done = model_signing_command(artifact_dir, pair)
    assert done.returncode == 0, done.stdout + done.stderr
    assert CARD_FILE in problems(artifact_dir, pair)[OPENSSF_FILE]


OTHER_FIELDS = "it holds other fields than a signature by a key has"


@pytest.mark.parametrize(
    ("where", "value", "told"),
    [
        ("mediaType", "other", OTHER_FIELDS),
        ("extra", 1, OTHER_FIELDS),
        ("verificationMaterial.publicKey.hint", "", "it was made with another key"),
        ("verificationMaterial.publicKey.rawBytes", "AAAA", OTHER_FIELDS),
        ("verificationMaterial.tlogEntries", [{}], OTHER_FIELDS),
        ("verificationMaterial.x509CertificateChain", {}, OTHER_FIELDS),
        ("dsseEnvelope.payloadType", "text/plain", OTHER_FIELDS),
        ("dsseEnvelope.signatures", [], ""),
        ("dsseEnvelope.extra", 1, OTHER_FIELDS),
        ("dsseEnvelope.payload", "!", ""),
        ("dsseEnvelope.payload", "QR==", "its base64 is not in the one exact form"),
        ("dsseEnvelope.payload", 5, ""),
    ],
)
def test_every_field_of_a_bundle_counts(
    artifact_dir: Path, keys: Callable[..., Pair], where: str, value: Any, told: str
) -> None:
    pair = keys("p256")
    sign(artifact_dir, pair)
    bundle = json.loads((artifact_dir / OPENSSF_FILE).read_bytes())
    *path, last = where.split(".")
    inner = bundle
    for part in path:
        inner = inner[part]
    inner[last] = value
    (artifact_dir / OPENSSF_FILE).write_text(json.dumps(bundle))
    problem = problems(artifact_dir, pair)[OPENSSF_FILE]
    assert problem.startswith("is not a bundle of model-signing: ")
    assert problem.endswith(f": {told}" if told else "")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda it: it.update(predicateType="other"), "it is a statement of another kind"),
        (lambda it: it["predicate"]["serialization"].update(method="shards"), "it does not list each file by its sha2"),
        (lambda it: it["predicate"]["serialization"].update(hash_type="md5"), "it does not list each file by its sha2"),
        (lambda it: it["predicate"]["resources"][-1].update(algorithm="md5"), "it does not list each file by its sha2"),
        (lambda it: it["predicate"].pop("resources"), "'resources'"),
    ],
)
def test_a_statement_that_says_something_else_is_refused(
    artifact_dir: Path, keys: Callable[..., Pair], change: Callable[[dict[str, Any]], None], told: str
) -> None:
    pair = keys("p256")
    sign(artifact_dir, pair)
    forged_bundle(artifact_dir, change, pair)
    assert problems(artifact_dir, pair)[OPENSSF_FILE].startswith(f"is not a bundle of model-signing: {told}")


def model_signing_command(artifact: Path, pair: Pair) -> subprocess.CompletedProcess[str]:
    options = ["--signature", str(artifact / OPENSSF_FILE), "--public_key", str(pair.public)]
    command = [sys.executable, "-m", "model_signing", "verify", "key", str(artifact), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_of_model_signing_verifies_it_too(artifact_dir: Path, keys: Callable[..., Pair]) -> None:
    pair, other = keys("p384"), keys("p384", name="other")
    sign(artifact_dir, pair)
    sign(artifact_dir, keys("ed25519"))
    done = model_signing_command(artifact_dir, pair)
    assert done.returncode == 0, done.stdout + done.stderr
    assert model_signing_command(artifact_dir, other).returncode != 0


def test_openssl_verifies_it_too(artifact_dir: Path, keys: Callable[..., Pair]) -> None:
    assert shutil.which("openssl"), "This test runs the openssl command, which is not on this machine: install openssl."
    pair = keys()
    sign(artifact_dir, pair)
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(pair.public), "-rawin"]
    command += ["-in", CHECKSUMS_FILE, "-sigfile", ED25519_FILE]
    done = subprocess.run(command, cwd=artifact_dir, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "Signature Verified Successfully"), done.stderr
    (artifact_dir / CHECKSUMS_FILE).write_bytes(b"{}")
    assert subprocess.run(command, cwd=artifact_dir, capture_output=True, check=False).returncode != 0


def test_openssl_makes_the_keys(artifact_dir: Path, tmp_path: Path) -> None:
    """The commands that the messages and the documentation give."""
    for options, file in (
        (["-algorithm", "ed25519"], ED25519_FILE),
        (["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], OPENSSF_FILE),
    ):
        private, public = tmp_path / "key.pem", tmp_path / "key.pub.pem"
        subprocess.run(["openssl", "genpkey", *options, "-out", private], check=True, capture_output=True)
        subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
        assert sign(artifact_dir, Pair(private, public)).path.name == file
        assert problems(artifact_dir, Pair(private, public)) == {}


def test_without_model_signing_the_command_that_installs_it_is_named(
    artifact_dir: Path, keys: Callable[..., Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = keys("p256")
    sign(artifact_dir, pair)
    monkeypatch.setitem(sys.modules, "model_signing", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'adapterkit\[openssf\]'"):
        problems(artifact_dir, pair)
    (artifact_dir / OPENSSF_FILE).unlink()
    with pytest.raises(MissingExtraError, match=r"pip install 'adapterkit\[openssf\]'"):
        sign(artifact_dir, pair)
    assert verify_directory(artifact_dir).ok
