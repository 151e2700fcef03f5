"""The name of a folder is bytes, and need not be text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapterkit.cli import main

ODD = "\udcff"


@pytest.mark.parametrize("words", [("verify", f"./{ODD}"), ("list", "--registry", ODD), ("status", "--registry", ODD)])
def test_a_folder_whose_name_is_no_text(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ODD).mkdir()
    for more in ((), ("--json",)):
        with pytest.raises(SystemExit) as ended:
            main([*words, *more])
        assert ended.value.code == (1 if words[0] == "verify" else 0)
        said = capsys.readouterr().out
        said.encode()
        assert not more or json.loads(said) is not None
