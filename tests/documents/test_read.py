"""Pages are held to what there is, without running them: languages, links, anchors, and all that they name in code."""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapterkit.config.schema import DataConfig
from adapterkit.data import read_splits
from adapterkit.data.said import SHAPES
from adapterkit.data.splits_file import read_splits_file
from tests.documents import naming
from tests.documents.before import cannot
from tests.documents.blocks import PARSED, ROOT, Block, anchors_of, blocks_of, code_of, links_of, pages
from tests.documents.running import PREAMBLE, expecting

WITH_LINKS = [*pages(), "CHANGELOG.md", "CONTRIBUTING.md"]
PAGES = pages()
BLOCKS = [block for page in PAGES for block in blocks_of(page)]


@pytest.mark.parametrize("page", PAGES)
def test_every_block_says_its_language(page: str) -> None:
    assert [
        f"{page}:{block.line}: {block.info!r}" for block in blocks_of(page) if not (block.well_formed or cannot(block))
    ] == []


@pytest.mark.parametrize("page", WITH_LINKS)
def test_every_link_leads_somewhere(page: str) -> None:
    assert [target for target in links_of(page) if not leads_somewhere(page, target)] == []


def leads_somewhere(page: str, target: str) -> bool:
    file, _, anchor = target.partition("#")
    there = (ROOT / page).parent.joinpath(file).resolve() if file else ROOT / page
    if not there.exists():
        return False
    return not anchor or anchor in anchors_of(there.relative_to(ROOT).as_posix())


@pytest.mark.parametrize("page", WITH_LINKS)
def test_what_a_page_names_in_code_is_there(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    wrong = [f"{name}  (in: {code})" for code in code_of(page) for name in unknown(code, text)]
    assert wrong == []


def unknown(code: str, text: str) -> Iterator[str]:
    checks: list[Callable[[str], Iterator[str]]] = [
        naming.unknown_verbs, naming.unknown_choices, naming.unknown_keys, naming.unknown_files
    ]  # fmt: skip
    for check in checks:
        yield from check(code)
    yield from naming.unknown_recipes(code, text)


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("adapterkit lsit", ["adapterkit lsit"]),
        ("adapterkit verify persona_lincoln --keys x", ["adapterkit verify --keys"]),
        ("adapterkit data look", ["adapterkit data look"]),
        ("python -m adapterkit.train +recipe=unifed,unified", ["+recipe=unifed"]),
        ("trainer=quik", ["trainer=quik"]),
        ("data.max_lenght=3 adapter.r=4", ["data.max_lenght"]),
        ("trainer.max_step", ["trainer.max_step"]),
        ("tests/nothing/test_here.py", ["tests/nothing/test_here.py"]),
        ("adapterkit verify persona_lincoln --key key.pub --json", []),
        ("adapterkit train -m +recipe=unified adapter=low_rank,default data.train=x.jsonl", []),
        ("held_out.max_rows", []),
    ],
)
def test_what_is_not_there_is_found(code: str, names: list[str]) -> None:
    assert list(unknown(code, "")) == names


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if block.language in PARSED], ids=lambda block: f"{block.page}:{block.line}"
)
def test_data_in_a_block_is_data(block: Block, tmp_path: Path) -> None:
    if block.language == "toml":
        tomllib.loads(block.text)
    elif block.language == "yaml":
        assert isinstance(yaml.safe_load(block.text), dict)
        if "# @package" in block.text:
            assert block.title, "a recipe has a title, so that a command of the page can read it"
    else:
        for each in documents(block.text):
            check_read(each, block, tmp_path)


def documents(text: str) -> list[Any]:
    try:
        return [json.loads(text)]
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines()]


def check_read(document: dict[str, Any], block: Block, folder: Path) -> None:
    """Rows of training data and lists of splits are read as a training reads them; other documents are only JSON."""
    reader = reader_of(set(document))
    file = folder / "rows.jsonl"
    file.write_text(json.dumps(document) + "\n", encoding="utf-8")
    if reader is not None:
        assert len(read_splits(DataConfig(reader=reader, train=str(file)), None).train) == 1
    elif all(isinstance(value, dict) and "train" in value for value in document.values()):
        assert set(read_splits_file(file).personas) == set(document)


_KEYS = {
    "chat": {"messages"},
    "completion": {"prompt", "completion"},
    "instruction": {"instruction", "output"},
    "examples": {"input", "output"},
    "preference": {"prompt", "chosen", "rejected"},
    "documents": {"question", "passages", "answer", "citations"},
}


def reader_of(keys: set[str]) -> str | None:
    """The reader of rows with these keys; null where they are no row's."""
    return next((name for name, needed in _KEYS.items() if needed <= keys), None)


def test_every_reader_of_files_is_known_by_its_keys() -> None:
    assert set(SHAPES) <= set(_KEYS)


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("false  # exit code 1", 0),
        ("true  # exit code 1", 1),
        ("sh -c 'exit 3'  # exit code 2", 1),
        ("sh -c 'exit 3' one \\\n  two  # exit code 3\necho on", 0),
        ("false", 1),
        ("false  # exit code 1: says something else", 1),
        ("false | true", 1),
    ],
)
def test_a_command_has_to_leave_as_it_is_marked(script: str, code: int) -> None:
    assert subprocess.run(["bash", "-c", f"{PREAMBLE}\n{expecting(script)}"], check=False).returncode == code
