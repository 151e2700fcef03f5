"""What becomes of a command's words: trainings are made short; what cannot run here is read as far as it can be.

This is the one place that says which commands of the pages are not carried out, and why.
"""

from __future__ import annotations

import os
import shutil
import tomllib
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

import adapterkit
from tests.documents.blocks import ROOT

# Behind every training's own words, where they go before these.
SHORT = ("trainer.max_steps=2", "data.max_train_rows=16", "data.max_validation_rows=4", "data.max_test_rows=4")
# A training with one of these is composed, and not run.
_COMPOSED = {
    "data=code_review": "fetches pylint's source package: a network",
    "model=smollm2": "a base from the hub: a network",
    "model=qwen2_5_0_5b_instruct": "a base from the hub: a network",
    "model=olmo_7b_instruct": "a base from the hub: a network",
    "model=llama2_7b": "a base from the hub, behind a licence: a network",
    "trainer.optimizer=paged_adamw": "a GPU",
    "trainer.optimizer=paged_adamw_8bit": "a GPU",
}


def as_tried(module: str, words: list[str]) -> list[str]:
    """The words with which a module is run in the place of these."""
    training = module == "adapterkit.train" or (module == "adapterkit" and words[:1] == ["train"])
    if not training or {"--help", "--cfg", "-c"} & set(words):
        return words
    if any(word in _COMPOSED for word in words):
        return [*words, "--cfg", "job"]
    return [*words, *SHORT]


def shorten_in_python() -> None:
    """Let `adapterkit.train_recipe` be as short as the command is, in this process."""
    whole = adapterkit.train_recipe

    def short(*arguments: Any, overrides: Sequence[str] = (), **settings: Any) -> Any:
        return whole(*arguments, overrides=[*overrides, *SHORT], **settings)

    vars(adapterkit)["train_recipe"] = short


def _pip(words: list[str]) -> None:
    """No network: every requirement is parsed, and has to be one that the project itself states or tries."""
    action, *rest = words
    assert action in ("install", "download"), f"pip {action}: teach tests/documents/words.py what it does"
    for option, word in zip(["", *rest], rest, strict=False):
        if option in ("-c", "--constraint", "-r"):
            assert (ROOT / word).is_file(), f"{word} is no file of the repository"
        elif not word.startswith("-") and option != "--no-binary":
            _check_requirement(word)


def _check_requirement(word: str) -> None:
    # A folder with extras behind it is the checkout.
    wanted = Requirement("adapterkit" + word.removeprefix(".") if word.startswith(".") else word)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    if wanted.name == "adapterkit":
        assert wanted.extras <= set(extras), f"{word}: the extras are {', '.join(sorted(extras))}"
    else:
        try:
            there = version(wanted.name)
        except PackageNotFoundError:
            return
        assert wanted.specifier.contains(there), f"{word}: the project is tested with {wanted.name} {there}"


def _make(words: list[str]) -> None:
    """Installs, and runs these very tests: make says what it would do, so the target has to exist."""
    real = shutil.which("make", path=os.defpath)
    assert real, "there is no make on this machine"
    os.execv(real, [real, "--dry-run", "--always-make", "--directory", str(ROOT), *words])


def _mlflow(words: list[str]) -> None:
    """A server has no end: its own parser reads the words."""
    from mlflow.cli import cli

    with cli.make_context("mlflow", [*words]) as context:
        name, command, rest = cli.resolve_command(context, words)
        assert command is not None
        with command.make_context(name, rest, parent=context):
            pass


def _venv(words: list[str]) -> None:
    """Takes half a minute and a network to be of use: a folder whose programs are those of the page."""
    folder = Path(words[-1])
    (folder / "bin").mkdir(parents=True)
    for program in ("python", "pip", "adapterkit"):
        there = shutil.which(program)
        assert there
        (folder / "bin" / program).symlink_to(there)
    activate = f"export VIRTUAL_ENV='{folder.resolve()}' PATH='{folder.resolve()}/bin':\"$PATH\"\n"
    (folder / "bin" / "activate").write_text(activate, encoding="utf-8")


CHECKS: Mapping[str, Callable[[list[str]], None]] = {"pip": _pip, "make": _make, "mlflow": _mlflow, "venv": _venv}
