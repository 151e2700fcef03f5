"""The site: every page is in the navigation, and what is read off the program is all there."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import markdown
import pytest

import adapterkit
from adapterkit.config.schema import TrainConfig
from sitegen.commands import commands_page
from sitegen.index import index_page
from sitegen.mathematics import MathematicsError, mathml
from sitegen.settings import settings_page

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def pages_in(navigation: Any) -> Iterator[str]:
    for entry in navigation:
        for value in entry.values():
            yield from [value] if isinstance(value, str) else pages_in(value)


def test_every_page_is_in_the_navigation_once() -> None:
    listed = list(pages_in(tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))["project"]["nav"]))
    assert sorted(listed) == sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))


def test_every_public_name_has_a_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    pages = [index_page(), *(page.read_text("utf-8") for page in DOCS.rglob("*.md"))]
    shown = re.findall(r"^::: adapterkit\.(\w+)$", "\n".join(pages), re.MULTILINE)
    assert len(shown) == len(set(shown))
    assert set(adapterkit.__all__) <= set(shown)


def test_every_verb_is_shown_with_its_options() -> None:
    page = commands_page()
    for verb in ("list", "train", "data inspect", "export", "reproduce"):
        assert f"## `adapterkit {verb}`" in page
    assert "| `--dry-run` | Say what would be trained, and train nothing. |" in page
    assert "Usage: adapterkit show [OPTIONS] {REF}" in page


def keys_of(schema: type[Any], prefix: str = "") -> Iterator[str]:
    for field in dataclasses.fields(schema):
        inner = field.default_factory if dataclasses.is_dataclass(field.default_factory) else None
        yield from keys_of(inner, f"{field.name}.") if inner and not prefix else [prefix + field.name]


def test_every_key_and_every_choice_is_shown() -> None:
    page = settings_page()
    assert [key for key in keys_of(TrainConfig) if f"| `{key}` |" not in page] == []
    assert "| `seed` | `int` | `0` |" in page
    assert '??? note "coder"' in page
    assert '??? note "persona_on_unified"' in page


def test_a_formula_is_drawn_and_told_in_words() -> None:
    drawn = mathml(r"\frac{\alpha}{r} B A", block=False)
    assert r'alttext="\frac{\alpha}{r} B A"' in drawn
    assert "<mfrac>" in drawn


def test_formulas_are_found_in_a_page() -> None:
    page = "$$\n\\begin{bmatrix} a & b \\end{bmatrix}, \\quad a < b\n$$\n\nIt costs $5, of `$HOME` and $x$."
    settings = {"pymdownx.arithmatex": {"generic": True}}
    html = markdown.markdown(
        page, extensions=["pymdownx.arithmatex", "sitegen.mathematics"], extension_configs=settings
    )
    assert html.count("<math ") == 2
    assert html.count("<mtd>") == 2
    assert "amp;" not in html.partition("<math ")[2].partition(">")[2].partition("</math>")[0]
    assert "It costs $5" in html
    assert "$HOME" in html


def test_a_formula_that_cannot_be_drawn_is_an_error() -> None:
    with pytest.raises(MathematicsError, match="nonsense"):
        mathml(r"a \nonsense b", block=True)
