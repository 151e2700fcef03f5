from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from artifacts.keyring import Pair, key_pair
from artifacts.samples import draft_of, edit_json, lora_tensors, write_adapter

from adapterkit.cli.views.verify import print_findings
from adapterkit.registry import Registry, verify
from tests.driving import Command


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A registry with unified@1.0.0 and child@1.0.0 on it; keys are made in the current folder."""
    monkeypatch.chdir(tmp_path)
    registry = Registry(tmp_path / "adapters")
    parent = registry.publish(draft_of(write_adapter(tmp_path / "p")))
    weights = write_adapter(tmp_path / "c", tensors=lora_tensors(seed=1))
    registry.publish(draft_of(weights, name="child", parents=parent.manifest.lineage.members))
    return registry


@pytest.fixture
def pair(registry: Registry) -> Pair:
    return key_pair(Path("keys"))


def test_sign_then_verify(command: Command, pair: Pair) -> None:
    assert command("verify", "child", "--key", pair.public) == 1
    assert "checksums.json.sig: is missing" in command.out
    assert "NOT signed by a given key: child@1.0.0: every file is as checksums.json lists it" in command.out
    assert "adapterkit sign child@1.0.0 --key KEY.pem" in command.out
    assert "intact" not in command.out.lower()
    assert command("sign", "child", "--key", pair.private) == 0
    assert command.out.startswith("signed: child@1.0.0 by ")
    assert "Not signed in this format: unified@1.0.0." in command.out
    assert command("verify", "child", "--key", pair.public) == 1
    assert "unified@1.0.0/checksums.json.sig: is missing" in command.out
    assert "adapterkit sign unified@1.0.0 --key KEY.pem" in command.out
    assert command("sign", "unified", "--key", pair.private) == 0
    assert "Not signed" not in command.out
    assert command("verify", "child", "--key", pair.public) == 0
    first, second = command.out.splitlines()
    assert first.startswith("intact: child@1.0.0: 7 files")
    assert second.endswith(", its 1 ancestor by one of the given keys")


def test_of_a_folder_away_from_its_registry_the_ancestor_is_what_is_not_signed(
    command: Command, pair: Pair, registry: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command("sign", "child", "--key", pair.private)
    print_findings(verify(shutil.copytree(registry.path / "child" / "1.0.0", tmp_path / "away"), keys=[pair.public]))
    said = capsys.readouterr().out
    assert "unified@1.0.0: is not at hand" in said
    assert "NOT signed by a given key: unified@1.0.0" in said


def test_a_signature_that_was_not_checked_is_said_to_be_there(command: Command, pair: Pair) -> None:
    assert command("verify", "unified") == 0
    assert "signed" not in command.out
    command("sign", "unified", "--key", pair.private)
    assert command("verify", "unified") == 0
    assert "signed (not checked: give --key): checksums.json.sig" in command.out


def test_json(command: Command, pair: Pair, registry: Registry) -> None:
    signed = command.json("sign", "child", "--key", pair.private)
    assert signed["new"] is True
    assert signed["signature"] == str(registry.path / "child" / "1.0.0" / "checksums.json.sig")
    assert signed["unsigned_ancestors"] == ["unified@1.0.0"]
    assert command.json("sign", "child", "--key", pair.private)["new"] is False
    command("sign", "unified", "--key", pair.private)
    report = command.json("verify", "child", "--key", pair.public)
    assert (report["ok"], report["signatures"]) == (True, ["checksums.json.sig"])
    assert report["signers"] == [signed["fingerprint"]]
    assert command.json("verify", "child")["signers"] == []


def test_another_signature_is_replaced_only_when_told(command: Command, pair: Pair) -> None:
    other = key_pair(Path("keys"), name="other")
    command("sign", "unified", "--key", pair.private)
    assert command("sign", "unified", "--key", other.private) == 1
    assert "add --replace" in command.err
    assert command("verify", "unified", "--key", pair.public) == 0
    assert command("sign", "unified", "--key", other.private, "--replace") == 0
    assert command("verify", "unified", "--key", pair.public) == 1
    assert "The signature does NOT match a given key: unified@1.0.0" in command.out
    assert "--replace" in command.out
    assert "NOT signed" not in command.out
    assert command("verify", "unified", "--key", pair.public, "--key", other.public) == 0


def test_damage_is_not_called_a_missing_signature(command: Command, pair: Pair, registry: Registry) -> None:
    (registry.path / "unified" / "1.0.0" / "README.md").write_bytes(b"x")
    assert command("verify", "child", "--key", pair.public) == 1
    assert "NOT intact: child@1.0.0" in command.out


def test_both_formats(command: Command, pair: Pair, registry: Registry) -> None:
    curve = key_pair(Path("keys"), "p256")
    assert command("sign", "unified", "--key", curve.private, "--format", "openssf") == 0
    assert command("sign", "unified", "--key", pair.private, "--format", "ed25519") == 0
    names = {path.name for path in (registry.path / "unified" / "1.0.0").iterdir()}
    assert {"checksums.json.sig", "model.sig"} < names
    assert command("verify", "unified", "--key", curve.public, "--key", pair.public) == 0


def test_a_broken_artifact_is_not_signed(command: Command, pair: Pair, registry: Registry) -> None:
    (registry.path / "unified" / "1.0.0" / "README.md").write_bytes(b"x")
    for ref in ("unified", "child"):
        assert command("sign", ref, "--key", pair.private) == 1
        assert "README.md: its bytes were changed" in command.err
    assert not list(registry.path.rglob("*.sig"))


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (("sign", "unified", "--key", "keys/ed25519.pub.pem"), "is a public key, and signing takes the private half"),
        (("sign", "unified", "--key", "nowhere.pem"), "cannot be read: No such file"),
        (("sign", "unified", "--key", "keys/rsa.pem"), "is of a kind that is not used here (RSA)"),
        (("sign", "unified", "--key", "keys/locked.pem"), "export ADAPTERKIT_KEY_PASSWORD=..."),
        (("sign", "unified", "--key", "keys/ed25519.pem", "--format", "openssf"), "format ed25519, not openssf"),
        (("sign", "unified", "--key", "keys/ed25519.pem", "--format", "gpg"), "'gpg' is not one of"),
        (("sign", "unified"), "Missing option '--key'"),
        (("sign", "../unified", "--key", "keys/ed25519.pem"), "'../unified' is no ref"),
        (("verify", "unified", "--key", "keys/ed25519.pem"), "openssl pkey -in keys/ed25519.pem -pubout"),
        (("verify", "unified", "--key", "p/adapter_model.safetensors"), "is not a public key in PEM form"),
    ],
)
def test_wrong_keys_are_wrong_usage(command: Command, pair: Pair, words: tuple[str, ...], match: str) -> None:
    key_pair(Path("keys"), "rsa")
    key_pair(Path("keys"), name="locked", password="x")
    assert command(*words) == 2
    assert match in " ".join(command.err.split())


def test_what_a_file_says_does_not_steer_the_terminal(command: Command, registry: Registry) -> None:
    edit_json(registry.path / "unified" / "1.0.0", "metadata.json", **{"\x1b]0;owned\x07": 1})
    assert command("show", "unified") == 1
    assert "unknown keys" in command.err
    assert "\x1b" not in command.err


def test_load_can_demand_signatures(tmp_path: Path, tiny_base_dir: Path, pair: Pair) -> None:
    import adapterkit
    from adapterkit.artifacts import private_key, sign_artifact
    from adapterkit.base.load import identify
    from adapterkit.config.groups import quantization_named
    from adapterkit.config.schema import ModelConfig
    from adapterkit.errors import NotSignedError
    from adapterkit.manifest import BaseRecord

    identity, _ = identify(ModelConfig(id=str(tiny_base_dir)), quantization_named("fp32"))
    registry = Registry(tmp_path / "loaded")
    base = BaseRecord(identity, "b" * 64, "b" * 64, 20)
    published = registry.publish(draft_of(write_adapter(tmp_path / "raw"), base=base))
    where: dict[str, Any] = {"registry": registry.path, "device": "cpu"}
    unsigned = (
        r"(?s)unified@1\.0\.0 .* is intact, and not signed .*checksums\.json\.sig: is missing.*adapterkit sign uni"
    )
    with pytest.raises(NotSignedError, match=unsigned):
        adapterkit.load("unified", keys=[pair.public], **where)
    sign_artifact(published, private_key(pair.private))
    assert adapterkit.load("unified", keys=[pair.public], **where).lineage == published.manifest.lineage
    other = key_pair(Path("keys"), name="other")
    with pytest.raises(NotSignedError, match=r"(?s)a signature that does not match.*was not made with the key"):
        adapterkit.load("unified", keys=os.fspath(other.public), **where)
