"""Misspelt verbs, options, refs, versions, aliases and choices are answered with what was probably meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from artifacts.samples import draft_of, lora_tensors, write_adapter

from adapterkit.registry import Registry
from tests.driving import Command, left_with


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry with unified@1.0.0, which is in production, and persona_lincoln@1.0.0 on it."""
    registry = Registry(tmp_path / "adapters")
    parent = registry.publish(draft_of(write_adapter(tmp_path / "p")))
    child = write_adapter(tmp_path / "c", tensors=lora_tensors(seed=1))
    registry.publish(draft_of(child, name="persona_lincoln", parents=parent.manifest.lineage.members))
    registry.promote("unified@1.0.0")
    return registry


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("show persona_lincon", "Did you mean persona_lincoln?"),
        ("show unifed@1.0.0", "Did you mean unified@1.0.0?"),
        ("show unifed@2.0.0", "Did you mean unified?"),
        ("lineage unified@prodution", "Did you mean unified@production"),
        ("verify unified@1.0.1", "Did you mean unified@1.0.0?"),
        ("show unified@qqqqq", "Did you mean unified@1.0.0?"),
        ("rollback unifid", "Did you mean unified@latest?"),
        ("rollback unified@prodcution", "Did you mean unified@production"),
        ("promote unifid", "Did you mean unified?"),
        ("history persona_lincol", "Did you mean persona_lincoln?"),
        ("rebuild --dry-run persona_lincon", "Did you mean persona_lincoln?"),
        ("compatible unified persona_lincon", "Did you mean persona_lincoln?"),
        ("export unified --to ggfu --out x", "Did you mean gguf?"),
        ("flatten unified --blend additve", "Did you mean additive?"),
        ("flatten unified --dtype flaot32", "Did you mean float32"),
        ("show --jsno unified", "--json"),
        ("sign unified --key k --format ed2519", "'ed25519', 'openssf'"),
    ],
)
def test_it_says_what_was_probably_meant(command: Command, words: str, meant: str) -> None:
    assert command(*words.split()) in (1, 2)
    assert meant in command.err


@pytest.mark.parametrize(
    ("words", "meant"), [("shwo", "'show'"), ("data inspct", "'inspect'"), ("presets codr", "Did you mean coder?")]
)
def test_verbs_and_presets(words: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert left_with(*words.split()) == 2
    assert meant in capsys.readouterr().err


@pytest.mark.parametrize("words", [("compatible",), ("show",), ("show", "unified", "--dance"), ("dance",)])
def test_wrong_usage_is_json_where_that_was_asked_for(command: Command, words: tuple[str, ...]) -> None:
    told = command.json(*words, code=2)
    assert told["kind"] == "UsageError"
    assert told["error"] in command.err
