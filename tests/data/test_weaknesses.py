"""Which weakness is it: four to choose from, one of them right, none of the test's ever trained on."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from adapterkit.config.schema import DataConfig
from adapterkit.data import Conversation, Splits, corpora, read_splits
from adapterkit.data.corpora import corpus_folder
from adapterkit.data.cwe import code_text, read_weaknesses
from adapterkit.data.weaknesses import check_weakness
from adapterkit.errors import DataError, MissingExtraError

SPLITS = ("train", "validation", "test")
CODE = """<c xmlns:h="http://www.w3.org/1999/xhtml">
    <h:div>if (a &lt; b) {<h:div>f();<h:br/>g(<h:b>a</h:b>,
       b);<h:div>h();</h:div></h:div>}<h:br/><h:br/>end</h:div>
</c>"""


def read(**config: object) -> Splits:
    plain = {"reader": "weaknesses", "validation": "auto", "test": "auto", **config}
    return read_splits(DataConfig(**plain), None)


def choices(row: Conversation) -> list[str]:
    return re.findall(r"^(CWE-\d+): .+$", row.turns[0].content.rpartition("Choose one:\n")[2], re.MULTILINE)


def test_code_in_xhtml_keeps_its_lines_and_indentation() -> None:
    assert code_text(ElementTree.fromstring(CODE)).split("\n") == [
        "if (a < b) {", "  f();", "  g(a, b);", "    h();", "}", "end",
    ]  # fmt: skip


def test_the_right_one_is_among_four_and_stands_anywhere() -> None:
    rows = read().train
    places = [choices(row).index(row.turns[1].content) for row in rows]
    assert all(len(set(choices(row))) == 4 for row in rows)
    assert min(places.count(place) for place in range(4)) > len(rows) / 5
    assert {row.origin.strata[0] for row in rows} == {"code", "report"}
    assert max(len(row.turns[0].content) for row in rows) < 1000


def test_no_weakness_of_the_test_is_seen_in_training_not_even_as_a_choice() -> None:
    splits = read()
    named = {name: {each for row in getattr(splits, name) for each in choices(row)} for name in SPLITS}
    assert not named["train"] & named["test"]
    assert not named["train"] & named["validation"]
    assert min(len(getattr(splits, name)) for name in SPLITS) > 150


def test_no_other_choice_is_a_kind_of_the_answer_or_the_answer_of_it() -> None:
    parents = {each.id: each.parents for each in read_weaknesses(corpus_folder("cwe2", ".", purpose="", install=""))}

    def above(name: str) -> set[str]:
        return {each for parent in parents.get(name, ()) for each in ({parent} | above(parent))}

    for row in read().train:
        right = row.turns[1].content
        assert not any(right in above(each) or each in above(right) for each in choices(row) if each != right)


def test_what_is_listed_under_several_weaknesses_is_not_asked() -> None:
    splits = read()
    asked = [row.turns[0].content.split("\n\n")[1] for name in SPLITS for row in getattr(splits, name)]
    assert len(asked) == len(set(asked))
    assert not any("CWE-" in each for each in asked)


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("CWE-89", True),
        ("It is CWE-89.", True),
        ("CWE-8", False),
        ("CWE-89 or CWE-79", False),
        ("89", False),
        ("", False),
    ],
)
def test_an_answer_names_one_weakness(said: str, right: bool) -> None:
    assert check_weakness(said, "CWE-89") == right


@pytest.mark.parametrize("text", ["", "<a/>", "<a>"])
def test_another_catalogue_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "database_v49" / "cwec_v4.14.xml"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"cwec_v4\.14\.xml.*Install the package again"):
        read_weaknesses(tmp_path)


def test_a_missing_package_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpora, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'adapterkit\[tasks\]'"):
        read()
