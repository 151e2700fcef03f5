from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import yaml

from adapterkit.config.redaction import REDACTED, is_secret, redact
from adapterkit.config.saved import redact_file
from adapterkit.config.schema import AdapterConfig, DataConfig, ModelConfig, TrainConfig, TrainerConfig
from adapterkit.errors import UsageError
from adapterkit.workflows.recorded import config_yaml

HF = "hf_" + "Ab1" * 11
SECRETS = (
    HF,
    "sk-proj-" + "aB3_" * 10,
    "ghp_" + "a1" * 18,
    "github_pat_" + "a1_" * 20,
    "glpat-" + "a1" * 10,
    "AKIA" + "ABCD1234" * 2,
    "AIza" + "a" * 35,
    "xoxb-1234567890-abcdef",
    "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl",
    "-----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY-----",
)


@pytest.mark.parametrize(
    "key",
    [
        "token",
        "hub.token",
        "HF_TOKEN",
        "api_key",
        "apiKey",
        "APIKey",
        "OPENAI_API_KEY",
        "password",
        "db-password",
        "pwd",
        "aws_secret_access_key",
        "use_auth_token",
        "client_secret",
        "secrets.db",
        "privateKey",
        "api_tokens",
        "passphrase",
        "Authorization",
        "credentials",
        "hub.access_token@here",
    ],
)
def test_keys_that_name_secrets(key: str) -> None:
    assert is_secret(key)
    assert redact({key: "x"}) == {key: REDACTED}
    assert redact({"outer": [{key: ["x", {"inner": 5}]}]}) == {"outer": [{key: [REDACTED, {"inner": REDACTED}]}]}
    assert redact([f"++{key}=x"]) == [f"++{key}={REDACTED}"]


@pytest.mark.parametrize(
    "key",
    [
        "max_tokens",
        "max_new_tokens",
        "pad_token_id",
        "pad_token",
        "eos_token",
        "tokenizer",
        "trainable_token_indices",
        "tokens_per_second",
        "run_key",
        "key",
        "keys",
        "monkey",
        "keep_best",
        "author",
        "target_modules",
        "image_token",
        "secretary",
        "tokens",
        "",
        ".",
        "5",
    ],
)
def test_keys_that_only_look_like_it(key: str) -> None:
    assert redact({key: "x"}) == {key: "x"}
    assert redact([f"{key}=x"]) == [f"{key}=x"]


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: secret[:8])
def test_values_that_have_the_shape_of_a_secret(secret: str) -> None:
    assert redact({"note": [f"before {secret} after"]}) == {"note": [f"before {REDACTED} after"]}
    assert redact([f"description='{secret}'"]) == [f"description='{REDACTED}'"]


@pytest.mark.parametrize(
    "harmless",
    [
        "hf_transformers",
        "sk-learn-compatible-model-for-you",
        "HuggingFaceTB/SmolLM2-135M-Instruct",
        "AKIA",
        "eyJ",
        "a@b.c",
        "https://huggingface.co/a/b?revision=main",
        "https://user@host/x",
        "d99f9b3" * 5,
        "12:30@noon",
        "C:/a@b",
    ],
)
def test_values_that_only_look_like_it(harmless: str) -> None:
    assert redact([harmless]) == [harmless]


@pytest.mark.parametrize(
    ("address", "saved"),
    [
        ("https://me:pw@host/x", f"https://{REDACTED}@host/x"),
        ("s3+http://me:p@w@host:80/x", f"s3+http://{REDACTED}@host:80/x"),
        (r"https\://me\:pw@host/x", rf"https\://{REDACTED}@host/x"),
        ("https:/me:pw@host/x", f"https:/{REDACTED}@host/x"),
        ("postgresql://:pw@host", f"postgresql://{REDACTED}@host"),
        ("https://host/x?token=abc&page=2", f"https://host/x?token={REDACTED}&page=2"),
        (f"https://{HF}@host/x", f"https://{REDACTED}@host/x"),
    ],
)
def test_credentials_in_addresses(address: str, saved: str) -> None:
    assert redact({"train": address}) == {"train": saved}
    assert redact([f"data.train={address}"]) == [f"data.train={saved}"]


@pytest.mark.parametrize(
    ("text", "saved"),
    [
        ("ask with api_key=abc, please", f"ask with api_key={REDACTED}, please"),
        ("a=1,hub.token=abc,b=2", f"a=1,hub.token={REDACTED},b=2"),
        ("x password='a b' y", f"x password={REDACTED} y"),
        ("max_tokens=5 and page=2", "max_tokens=5 and page=2"),
        ("use_auth_token=true here", "use_auth_token=true here"),
    ],
)
def test_assignments_within_a_text(text: str, saved: str) -> None:
    assert redact(f"Now: {text}") == f"Now: {saved}"


def test_keys_that_hold_a_secret() -> None:
    assert redact({f"file:https://me:pw@host/{HF}": "x"}) == {f"file:https://{REDACTED}@host/{REDACTED}": "x"}


def test_overrides_with_tables_inside() -> None:
    given = ["hub={token: hf_abc, name: x}", "hub={password:'a, b',name:x}", "~token", "+recipe=unified", "a=[1,2]"]
    assert redact(given) == [
        f"hub={{token: {REDACTED}, name: x}}",
        f"hub={{password:{REDACTED},name:x}}",
        "~token",
        "+recipe=unified",
        "a=[1,2]",
    ]


def test_what_says_nothing_stays_and_nothing_is_changed_in_place() -> None:
    plain = {"token": None, "use_auth_token": True, "password": "", "seed": 5, "nested": {"api_key": 12345}}
    assert redact(plain) == {**plain, "nested": {"api_key": REDACTED}}
    assert plain["nested"] == {"api_key": 12345}
    assert redact(["hub.token=null", "use_auth_token=true"]) == ["hub.token=null", "use_auth_token=true"]


def config(**changes: str) -> TrainConfig:
    return TrainConfig(
        name="unified",
        output_dir="out",
        model=ModelConfig(id="tiny"),
        adapter=AdapterConfig(r=4, lora_alpha=8.0),
        trainer=TrainerConfig(epochs=1.0, learning_rate=1e-3),
        data=DataConfig(reader="chat", **changes),
    )


def test_a_saved_config_holds_no_secret_and_everything_else() -> None:
    given = config(train="https://me:pw@host/x.jsonl", prompt=f"Say {HF} and token: 5")
    saved = config_yaml(given)
    assert "pw" not in saved
    assert HF not in saved
    expected = dataclasses.asdict(given)
    del expected["registry"], expected["output_dir"]
    expected["data"] |= {"train": f"https://{REDACTED}@host/x.jsonl", "prompt": f"Say {REDACTED} and token: 5"}
    assert yaml.safe_load(saved)["data"] == expected["data"]


def test_what_hydra_saved_beside_a_run_holds_no_secret(tmp_path: Path) -> None:
    folder = tmp_path / "run" / ".hydra"
    folder.mkdir(parents=True)
    untouched = "# a comment that stays\ntrainer:\n  max_steps: 1\n"
    (folder / "plain.yaml").write_text(untouched)
    (folder / "overrides.yaml").write_text("- data.train=https://me:pw@host/x\n- trainer.max_steps=1\n")
    (folder / "config.yaml").write_text("hub:\n  token: hf_abc\nname: ${data.unified}\n")
    for file in folder.iterdir():
        redact_file(file)
    assert (folder / "plain.yaml").read_text() == untouched
    assert yaml.safe_load((folder / "overrides.yaml").read_text()) == [
        f"data.train=https://{REDACTED}@host/x",
        "trainer.max_steps=1",
    ]
    assert yaml.safe_load((folder / "config.yaml").read_text()) == {
        "hub": {"token": REDACTED},
        "name": "${data.unified}",
    }


@pytest.mark.parametrize("prompt", ["Say ${name}", "Say ${oc.env:HOME}", "Say ${"])
def test_a_config_that_no_artifact_may_hold_is_refused_at_once(prompt: str) -> None:
    with pytest.raises(UsageError, match=r"cannot be saved|could not be published"):
        config_yaml(config(prompt=prompt))
