"""Lines of Python for readers: a path in somebody's home does not tell whose."""

from __future__ import annotations

import subprocess
import sys

import pytest

from adapterkit.artifacts import peft_lines
from adapterkit.lineage import LineageMember
from adapterkit.names import AdapterRef

MEMBER = LineageMember(AdapterRef.parse("unified@1.0.0"), "a" * 64)


def test_a_base_in_the_home_folder_is_found_from_every_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    lines = peft_lines([MEMBER], "adapters", "/home/ada/.cache/adapterkit/bases/x")
    assert not any("ada/" in line for line in lines)
    assert lines[:2] == ["import os", ""]
    (base,) = [line for line in lines if line.startswith("BASE")]
    assert base == 'BASE = os.path.expanduser("~/.cache/adapterkit/bases/x")'
    code = f"import os\n{base}\nprint(BASE)"
    found = subprocess.run(
        [sys.executable, "-c", code], env={"HOME": "/home/bob"}, capture_output=True, text=True, check=True
    )
    assert found.stdout == "/home/bob/.cache/adapterkit/bases/x\n"


@pytest.mark.parametrize(
    ("home", "base"), [("/home/ada", "/home/adam/base"), ("/", "/base"), ("/home/ada", "org/base")]
)
def test_other_places_stay_as_they_are(monkeypatch: pytest.MonkeyPatch, home: str, base: str) -> None:
    monkeypatch.setenv("HOME", home)
    lines = peft_lines([MEMBER], "adapters", base)
    assert f'BASE = "{base}"' in lines
    assert 'REGISTRY = "adapters"' in lines
    assert "import os" not in lines
