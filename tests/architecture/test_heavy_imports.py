"""`import adapterkit` and the verbs that only look at files stay light: nothing is imported that they do not need."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from artifacts.samples import draft_of, write_adapter

import adapterkit
from adapterkit.registry import Registry

ROOT = Path(__file__).parents[2]
HEAVY = (
    "torch", "transformers", "peft", "bitsandbytes", "accelerate", "datasets", "matplotlib", "hydra", "numpy", "scipy",
    "omegaconf", "rich", "cryptography", "jinja2", "adapterkit.data.readers",
)  # fmt: skip
MARK = "imported:"
REPORT = f"import sys; print({MARK!r}, *[name for name in {HEAVY} if name in sys.modules])"
VERB = """
import sys
from adapterkit.cli import main
sys.argv = ["adapterkit", *{arguments}]
try:
    main()
except SystemExit as leaving:
    assert (leaving.code or 0) == {code}, leaving.code
"""


def heavy_after(code: str, folder: Path) -> set[str]:
    """The heavy libraries imported once code has run in a fresh interpreter, with the checkout first on its path."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", f"{code}\n{REPORT}"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition(MARK)[2].split())


def test_importing_the_package_imports_nothing_heavy(tmp_path: Path) -> None:
    assert heavy_after("import adapterkit", tmp_path) == set()


def test_every_public_name_is_listed_and_leads_somewhere(tmp_path: Path) -> None:
    # In a process of its own: what others have imported would be listed anyway.
    assert heavy_after("import adapterkit; assert {*adapterkit.__all__} <= {*dir(adapterkit)}", tmp_path) == set()
    assert all(getattr(adapterkit, name) is not None for name in adapterkit.__all__)
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        _ = adapterkit.lod


@pytest.mark.parametrize(
    ("words", "needed"),
    [
        ("--help", set()),
        ("list", set()),
        ("show unified", set()),
        ("verify unified", {"numpy"}),  # It reads every tensor.
        ("lineage unified", set()),
        ("status", set()),
        ("history unified", set()),
        ("presets", {"omegaconf"}),  # It reads YAML as Hydra does.
        ("data --help", set()),
    ],
)
def test_verbs_that_look_import_nothing_heavy(tmp_path: Path, words: str, needed: set[str]) -> None:
    Registry(tmp_path / "adapters").publish(draft_of(write_adapter(tmp_path / "raw")))
    assert heavy_after(VERB.format(arguments=words.split(), code=0), tmp_path) == needed


@pytest.mark.parametrize("words", ["chat nope", "flatten nope", "export nope --to gguf --out out", "parity nope"])
def test_what_is_not_there_is_told_before_anything_heavy_is_imported(tmp_path: Path, words: str) -> None:
    assert heavy_after(VERB.format(arguments=words.split(), code=1), tmp_path) == set()


@pytest.mark.parametrize(
    ("line", "needed"),
    [
        ("sh", set()),
        ("show uni", set()),
        ("presets co", set()),
        ("train adapter.", set()),
        ("train parent=u", set()),
        ("train +recipe=uni", set()),
    ],
)
def test_a_shell_that_completes_waits_for_nothing_heavy(tmp_path: Path, line: str, needed: set[str]) -> None:
    Registry(tmp_path / "adapters").publish(draft_of(write_adapter(tmp_path / "raw")))
    words = ["adapterkit", *line.split()]
    asked = {"_ADAPTERKIT_COMPLETE": "complete_bash", "COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}
    assert (
        heavy_after(f"import os\nos.environ.update({asked})\n{VERB.format(arguments=[], code=0)}", tmp_path) == needed
    )


def test_a_heavy_import_is_seen(tmp_path: Path) -> None:
    assert {"torch", "accelerate"} <= heavy_after("import accelerate", tmp_path)
