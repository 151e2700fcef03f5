"""TAB behind `adapterkit`: verbs, options, refs, presets, and the words of a training."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from artifacts.samples import draft_of, lora_tensors, write_adapter

from adapterkit.registry import Registry
from tests.cli.shell_line import COMMAND, ROOT, Bash, asked, proposed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose registry holds unified@1.0.0, with an alias, and two personas on it."""
    registry = Registry(tmp_path / "adapters")
    parent = registry.publish(draft_of(write_adapter(tmp_path / "p")))
    registry.promote("unified@1.0.0")
    for seed, name in enumerate(("persona_lincoln", "persona_reagan"), 1):
        weights = write_adapter(tmp_path / name, tensors=lora_tensors(seed=seed))
        registry.publish(draft_of(weights, name=name, parents=parent.manifest.lineage.members))
    return tmp_path


@pytest.mark.parametrize(
    ("line", "answers"),
    [
        ("sh", ["show"]),
        ("data ", ["inspect", "stats"]),
        ("show per", ["persona_lincoln", "persona_reagan"]),
        ("show uni", ["unified", "unified@latest", "unified@production", "unified@1.0.0"]),
        ("lineage unified@1", ["unified@1.0.0"]),
        ("show --registry nowhere per", []),
        ("history persona_r", ["persona_reagan"]),
        ("compatible unified persona_l", [*(f"persona_lincoln{rest}" for rest in ("", "@latest", "@1.0.0"))]),
        ("promote unified --to pro", ["production"]),
        ("presets cod", ["coder"]),
        ("export unified --to g", ["gguf"]),
        ("import x --quantization nf", ["nf4", "nf4_fp16"]),
        ("train +recipe=persona_", ["+recipe=persona_on_unified", "+recipe=persona_standalone"]),
        ("train adapter=co", ["adapter=coder"]),
        ("train adapter=low_rank,co", ["adapter=low_rank,coder"]),
        ("train adapter.lora_d", ["adapter.lora_dropout="]),
        ("train +rec", ["+recipe="]),
        ("train parent=uni", ["parent=unified", *(f"parent=unified@{x}" for x in ("latest", "production", "1.0.0"))]),
        ("train trainer.optimizer=s", ["trainer.optimizer=sgd"]),
        ("train adapter.use_dora=", ["adapter.use_dora=true", "adapter.use_dora=false"]),
        ("train +recipe=persona_on_unified persona=linc", ["persona=lincoln"]),
        ("train data=shakespeare persona=haml", ["persona=hamlet"]),
        ("train data=chat data.train=chats.jsonl persona=", ["persona=ann", "persona=bob"]),
        ("train --config-dir mine +recipe=mi", ["+recipe=mine"]),
        ("estimate --json +recipe=unif", ["+recipe=unified"]),
        ("data stats quantization=int", ["quantization=int8"]),
        ("merge +merge=two", ["+merge=two_voices"]),
        ("merge method=ti", ["method=ties"]),
        ("merge 'adapters=[unified@1.0.0,persona_re", ["adapters=[unified@1.0.0,persona_reagan", *(
            f"adapters=[unified@1.0.0,persona_reagan@{rest}" for rest in ("latest", "1.0.0"))]),
    ],
)  # fmt: skip
def test_what_a_line_may_go_on_with(folder: Path, line: str, answers: list[str]) -> None:
    (folder / "mine" / "recipe").mkdir(parents=True)
    (folder / "mine" / "recipe" / "mine.yaml").write_text("# @package _global_\n")
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    rows = [json.dumps({"messages": turns, "persona": persona}) for persona in ("bob", "ann")]
    (folder / "chats.jsonl").write_text("\n".join(rows))
    assert proposed(folder, line) == answers


def test_options_are_proposed_with_what_they_are_for(folder: Path) -> None:
    assert {"--registry", "--json", "--help"} <= set(proposed(folder, "show --"))


@pytest.mark.parametrize(
    "line", ["show un", "train parent=un", "train persona=", "train data=chat persona=a", "nonsense x"]
)
def test_what_is_broken_is_no_answer_and_no_error(tmp_path: Path, line: str) -> None:
    (tmp_path / "adapters").write_text("no folder")
    assert (proposed(tmp_path, line) == []) == (line != "train persona=")


@pytest.mark.parametrize(
    ("words", "at", "answers"),
    [
        (["train", "+recipe", "=", "uni"], 4, ["unified"]),
        (["train", "+recipe", "="], 3, ["grounded", "persona_on_unified"]),
        (["show", "unified", "@"], 3, ["@latest", "@production", "@1.0.0"]),
        (["show", "unified", "@", "pro"], 4, ["@production"]),
        (["train", "parent", "=", "unified", "@", "1"], 6, ["@1.0.0"]),
        (["train", "trainer.max_steps"], 2, ["trainer.max_steps=", "trainer.max_steps=..."]),
        (["show", "--registry", "=", "adapters", "persona_l"], 5, ["persona_lincoln"]),
    ],
)
def test_bash_takes_words_apart_and_is_answered_the_rest(
    folder: Path, words: list[str], at: int, answers: list[str]
) -> None:
    done = asked(folder, "bash", COMP_WORDS="\n".join(["adapterkit", *words]), COMP_CWORD=str(at))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[: len(answers)] == answers


def test_zsh_is_answered_in_its_own_form(folder: Path) -> None:
    done = asked(folder, "zsh", _TYPER_COMPLETE_ARGS="adapterkit show persona_l")
    assert done.returncode == 0
    assert done.stdout.startswith('_arguments \'*: :(("persona_lincoln"')


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("adapterkit show persona_l", ["adapterkit", "show", "persona_lincoln"]),
        ("adapterkit show unified@p", ["adapterkit", "show", "unified@production"]),
        ("adapterkit train +recipe=uni", ["adapterkit", "train", "+recipe=unified"]),
        ("adapterkit train adapter.lora_al", ["adapterkit", "train", "adapter.lora_alpha="]),
        ("adapterkit presets hig", ["adapterkit", "presets", "high_rank"]),
    ],
)
def test_the_tab_key_of_a_real_bash(folder: Path, typed: str, words: list[str]) -> None:
    assert Bash(folder).words(typed) == words


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_installed_in_the_files_of_a_shell(tmp_path: Path, shell: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    # So the options take the name of a shell, instead of looking for the one that runs the tests.
    environment["_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION"] = "1"
    for verb in ("--install-completion", "--show-completion"):
        command = [*COMMAND, verb, shell]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    script = done.stdout.strip()
    assert "_ADAPTERKIT_COMPLETE=complete_" in script
    assert any(script in file.read_text() for file in tmp_path.rglob("*adapterkit*") if file.is_file())
