from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import quote

import pytest

from adapterkit.artifacts import private_key, public_keys
from adapterkit.artifacts.keys import PASSWORD_VARIABLE
from adapterkit.errors import KeyFileError
from artifacts.keyring import key_pair


@pytest.mark.parametrize(("kind", "signs"), [("ed25519", "ed25519"), ("p256", "openssf"), ("p521", "openssf")])
def test_both_halves_are_read(tmp_path: Path, kind: str, signs: str) -> None:
    pair = key_pair(tmp_path, kind)
    private = private_key(pair.private)
    (public,) = public_keys([pair.public])
    assert (private.format, public.format) == (signs, signs)
    assert private.public.fingerprint == public.fingerprint
    assert public_keys(str(pair.public)) == (public,)
    assert public_keys(pair.public)[0].fingerprint == public.fingerprint


@pytest.mark.parametrize("kind", ["rsa", "dsa", "ed448", "secp256k1"])
def test_other_kinds_are_refused_with_the_command_that_makes_a_key(tmp_path: Path, kind: str) -> None:
    pair = key_pair(tmp_path, kind)
    for read, path in ((private_key, pair.private), (public_keys, pair.public)):
        with pytest.raises(KeyFileError, match="is of a kind that is not used here") as caught:
            read(path)
        assert kind in str(caught.value).lower()
        assert "openssl genpkey -algorithm ed25519" in str(caught.value)


def test_the_wrong_half_is_refused(tmp_path: Path) -> None:
    pair = key_pair(tmp_path)
    with pytest.raises(KeyFileError, match="is a public key, and signing takes the private half"):
        private_key(pair.public)
    with pytest.raises(KeyFileError, match=f"openssl pkey -in {pair.private} -pubout"):
        public_keys([pair.private])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"garbage",
        b"\x00" * 100,
        b"\xff" * 100_000,
        b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n",
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END OPENSSH PRIVATE KEY-----\n",
        b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGj\n-----END ENCRYPTED PRIVATE KEY-----\n",
    ],
    ids=lambda data: quote(data[:30]),
)
def test_garbage_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "key.pem").write_bytes(data)
    for read in (private_key, public_keys):
        with pytest.raises(KeyFileError, match=r"key\.pem is .*openssl"):
            read(tmp_path / "key.pem")


@pytest.mark.parametrize("where", ["nowhere.pem", ".", "a\x00b"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, where: str) -> None:
    for read in (private_key, public_keys):
        with pytest.raises(KeyFileError, match="cannot be read"):
            read(tmp_path / where)


def test_an_encrypted_key_asks_for_its_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = key_pair(tmp_path, password="open sesame")
    with pytest.raises(KeyFileError, match=f"is encrypted. Give its password: export {PASSWORD_VARIABLE}=") as caught:
        private_key(pair.private)
    assert caught.value.path == pair.private
    monkeypatch.setenv(PASSWORD_VARIABLE, "wrong")
    with pytest.raises(KeyFileError, match=f"cannot be opened with the password in {PASSWORD_VARIABLE}") as caught:
        private_key(pair.private)
    assert "wrong" not in str(caught.value)
    monkeypatch.setenv(PASSWORD_VARIABLE, "open sesame")
    assert private_key(pair.private).format == "ed25519"


def test_a_password_that_is_not_needed_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "anything")
    assert private_key(key_pair(tmp_path).private).password is None


def test_a_key_of_the_other_format_is_refused(tmp_path: Path) -> None:
    curve, edwards = (private_key(key_pair(tmp_path, kind).private).public for kind in ("p256", "ed25519"))
    with pytest.raises(KeyFileError, match=r"format ed25519, not openssf.*ec_paramgen_curve"):
        edwards.require_format("openssf")
    with pytest.raises(KeyFileError, match=r"format openssf, not ed25519.*-algorithm ed25519"):
        curve.require_format("ed25519")
    curve.require_format("openssf")
    curve.require_format(None)


def test_a_private_key_shows_nothing_of_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "open sesame")
    pair = key_pair(tmp_path, "p256", password="open sesame")
    shown = repr(private_key(pair.private))
    assert "sesame" not in shown
    body = pair.private.read_text().split("-----")[2].replace("\n", "")
    assert base64.b64decode(body)
    assert body[:20] not in shown
    assert "PrivateKey object" not in shown
