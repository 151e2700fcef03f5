"""What the words of a training name - a file, a persona, a style - is looked for before libraries are imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.driving import ROOT

# A base's libraries in the place of which these stand cannot be imported.
HEAVY = ("torch", "transformers", "peft", "bitsandbytes")


@pytest.fixture
def asks(tmp_path: Path):
    """Runs a command in a folder with a file of rows and a pack, where no heavy library can be imported."""
    (tmp_path / "rows.jsonl").write_text('{"prompt": "a", "completion": "b"}\n')
    pack = tmp_path / "songs" / "sea"
    pack.mkdir(parents=True)
    (pack.parent / "pack.yaml").write_text("name: songs\n")
    (pack / "pack.yaml").write_text("name: sea\nparent: songs\n")
    (pack / "one.txt").write_text("heave ho\n")
    for name in HEAVY:
        (tmp_path / "shadow" / name).mkdir(parents=True)
        (tmp_path / "shadow" / name / "__init__.py").write_text("raise SystemError('imported')\n")

    def ask(*command: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(tmp_path / "shadow"), str(ROOT)])
        return subprocess.run(
            [sys.executable, "-m", *command],
            cwd=tmp_path, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False,
        )  # fmt: skip

    return ask


MISSPELT = [
    (2, "Did you mean lincoln", ["+recipe=persona_on_unified", "persona=lincon"]),
    (2, "Did you mean hamlet", ["+recipe=persona_on_unified", "data=shakespeare", "persona=hamlt"]),
    (2, "Did you mean reel?", ["+recipe=style_child", "data.style=rel"]),
    (2, "Did you mean sea?", ["+recipe=style_child", "data=style_pack", "data.train=songs", "data.style=se"]),
    (2, "cannot name an adapter: use", ["data=completion", "data.train=rows.jsonl", "name='my granny'"]),
    (1, "There is no such folder", ["+recipe=style_child", "data=style_pack", "data.train=song"]),
    (1, "Did you mean rows.jsonl?", ["data=completion", "data.train=row.jsonl", "name=x"]),
    (1, "no such file", ["data=completion", "data.train=rows.jsonl", "data.validation=held.jsonl", "name=x"]),
    (1, "no such file", ["data=completion", "data.train=rows.jsonl", "data.splits=splits.json", "name=x"]),
]  # fmt: skip


@pytest.mark.parametrize(("code", "told", "words"), MISSPELT)
def test_what_is_not_there_is_told_before_a_library_is_imported(asks, tmp_path, code, told, words):
    done = asks("adapterkit.train", *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "adapters").exists()
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize("verb", [["estimate"], ["data", "inspect"], ["data", "stats"]])
def test_the_verbs_that_only_look_tell_it_as_soon(asks, verb):
    done = asks("adapterkit", *verb, "data=completion", "data.train=row.jsonl", "name=x")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Did you mean rows.jsonl?" in done.stderr


def test_words_that_name_what_is_there_go_on_to_the_libraries(asks):
    done = asks("adapterkit.train", "data=completion", "data.train=rows.jsonl", "name=x")
    assert "SystemError: imported" in done.stderr
