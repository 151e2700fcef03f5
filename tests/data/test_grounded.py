"""Grounded rows of this interpreter's docstrings: true to their passages, held out by package, short."""

import json
import platform
import re
from collections import Counter
from pathlib import Path

import pytest

from adapterkit.config.schema import DataConfig
from adapterkit.data import Conversation, Splits, list_personas, read_splits
from adapterkit.data.grounding import REFUSAL, check_grounded
from adapterkit.errors import UsageError

SPLITS = ("train", "validation", "test")


def read(persona: str | None = None, **config: object) -> Splits:
    plain = {"reader": "grounded", "validation": "auto", "test": "auto", **config}
    return read_splits(DataConfig(**plain), persona)


def passages(row: Conversation) -> dict[str, str]:
    return dict(re.findall(r"^\[([a-z]\d\d)\] (.+)$", row.turns[0].content, re.MULTILINE))


def answer(row: Conversation) -> tuple[object, list[str]]:
    said = row.turns[1].content
    if said.startswith("{"):
        plain = json.loads(said)
        assert list(plain) == ["answer", "citations"]
        return plain["answer"], plain["citations"]
    if said == REFUSAL:
        return None, []
    text, cited = re.fullmatch(r"(.+) \[([a-z]\d\d)\]", said).groups()
    return text, [cited]


@pytest.fixture(scope="module")
def rows() -> list[Conversation]:
    splits = read()
    return [*splits.train, *splits.validation, *splits.test]


def test_an_answer_stands_in_the_passage_that_it_cites_and_in_no_other(rows: list[Conversation]) -> None:
    for row in rows:
        given, (said, cited) = passages(row), answer(row)
        assert 3 <= len(given) <= 4
        if said is None:
            continue
        gold = given[cited[0]]
        names = said if isinstance(said, list) else re.findall(r"`(\w+)`", str(said)) if str(said)[0] == "`" else [said]
        assert all(str(name) in gold for name in names), row
        if isinstance(said, str) and gold.endswith(f": {said}"):
            assert [text for text in given.values() if text.endswith(f": {said}")] == [gold]


def test_a_refusal_is_right_because_the_passage_is_missing(rows: list[Conversation]) -> None:
    refused = [row for row in rows if answer(row)[0] is None]
    for row in refused:
        asked = row.turns[0].content.rpartition("Question: ")[2]
        (it,) = re.findall(r"`([\w.]+)`", asked)
        about_an_argument = any(word in asked for word in ("takes an arg", "called with the arg", "given?", "named"))
        for text in passages(row).values():
            if about_an_argument:
                assert it not in re.findall(r"\w+", text.partition("): ")[0].partition("(")[2])
            else:
                assert not re.match(rf"{re.escape(it)}[(:]", text)
    assert 0.15 < len(refused) / len(rows) < 0.3


def test_a_fourth_is_json_and_the_phrasings_vary(rows: list[Conversation]) -> None:
    in_json = [row for row in rows if row.turns[1].content.startswith("{")]
    assert 0.2 < len(in_json) / len(rows) < 0.3
    assert all(("JSON" in row.turns[0].content) == (row in set(in_json)) for row in rows)
    asked = (row.turns[0].content.rpartition("Question: ")[2] for row in rows)
    shapes = Counter(re.sub(r"`[^`]+`", "X", text) for text in asked)
    assert len(shapes) == 12
    assert min(shapes.values()) > len(rows) / 60
    places = Counter(list(passages(row)).index(cited[0]) for row in rows if (cited := answer(row)[1]))
    assert min(places[place] for place in range(3)) > len(rows) / 6


def test_the_check_holds_for_every_row_and_not_for_its_neighbours(rows: list[Conversation]) -> None:
    wanted = [row.turns[1].content for row in rows]
    assert all(check_grounded(each, each).right for each in wanted)
    assert sum(check_grounded(said, each).right for said, each in zip(wanted[1:], wanted, strict=False)) < len(rows) / 8


def test_no_passage_of_a_held_out_split_is_trained_on() -> None:
    splits = read()
    shown = {name: {text for row in getattr(splits, name) for text in passages(row).values()} for name in SPLITS}
    packages = {name: {row.origin.strata[0] for row in getattr(splits, name)} for name in SPLITS}
    for one, other in (("train", "test"), ("train", "validation"), ("validation", "test")):
        assert not shown[one] & shown[other]
        assert not packages[one] & packages[other]
    assert len(splits.train) > 1000
    assert min(len(splits.validation), len(splits.test)) > 100


def test_rows_are_short_and_say_where_they_come_from(rows: list[Conversation]) -> None:
    # 512 tokens of the demo's tokenizer are 1,300 characters of such text and more.
    assert max(sum(len(turn.content) for turn in row.turns) for row in rows) <= 1300
    library = Path(__import__("ast").__file__).parent
    for row in rows[::50]:
        path = library / row.origin.path
        source = path if path.is_file() else path.with_suffix("") / "__init__.py"
        line = source.read_text(encoding="utf-8").split("\n")[row.origin.line - 1]
        assert row.origin.label.rpartition(".")[2] in line


def test_the_interpreter_is_recorded() -> None:
    splits = read(validation=None, test=None)
    assert splits.origins == {"python:standard-library": platform.python_version()}
    assert platform.python_version() in splits.source
    assert (splits.validation, splits.test) == ((), ())
    assert splits.train == read().train


def test_nobody_speaks_and_no_file_is_taken() -> None:
    assert list_personas(DataConfig(reader="grounded")) == ()
    with pytest.raises(UsageError, match="data=grounded has no personas, and persona=lincoln was given"):
        read("lincoln")
    with pytest.raises(UsageError, match=r"data\.train=mine\.jsonl"):
        read(train="mine.jsonl")


def test_ones_own_instruction_stands_before_every_row() -> None:
    for row in read(prompt="Cite.", max_train_rows=40).train:
        assert row.turns[0].content.startswith("Cite.\n\n[")
        assert not row.turns[1].content.startswith("{")
