"""Reviews with a known finding: the label leaves the code, and messages of the test are never trained on."""

import re
from pathlib import Path

import pytest

from adapterkit.config.schema import DataConfig
from adapterkit.data import Splits, code_review, read_splits
from adapterkit.data.code_review import NO_FINDING, check_review, find_examples, take_labels
from adapterkit.data.draws import split_of

SPLITS = ("train", "validation", "test")


def example(message: str, number: int) -> dict[str, str]:
    folder = f"{message[0]}/{message}"
    return {
        f"{folder}/bad.py": f"x = {number}\n\nprint(x, {number})  # [{message}]\n",
        f"{folder}/good.py": f"x = {number}\nprint(x)\n",
    }


MESSAGES = [
    f"{kind}-{word}" for kind in ("bad", "no", "odd") for word in ("name", "call", "loop", "test", "file", "key")
]
TEXTS = {path: text for number, name in enumerate(MESSAGES) for path, text in example(name, number).items()}


def read(**config: object) -> Splits:
    plain = {"reader": "code_review", "validation": "auto", "test": "auto", **config}
    return read_splits(DataConfig(**plain), None)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADAPTERKIT_CACHE", str(tmp_path))
    monkeypatch.setattr(code_review, "sdist_texts", lambda sdist, inside: TEXTS)


def test_labels_are_taken_off_the_code() -> None:
    code = "import a  # [one]\n# [two]\nx = 1  # a remark # [three, four]\n# +1: [five]\ny = '# [no] end'\nz = [1]\n"
    bare, labels = take_labels(code)
    assert bare == "import a\n\nx = 1  # a remark\n\ny = '# [no] end'\nz = [1]"
    assert labels == [(1, "one"), (2, "two"), (3, "four"), (3, "three"), (5, "five")]


@pytest.mark.parametrize(
    "change",
    [
        {"b/bad-name/bad.py": "x = 1\n"},
        {"b/bad-name/bad.py": "x = 1  # [odd-loop]\n"},
        {"b/bad-name/bad.py": "x = 'bad-name'  # [bad-name]\n"},
        {"b/bad-name/bad.py": "x = 1  # [bad-name]\n" * 4},
        {"b/bad-name/bad.py": "x = 1  # [bad-name]\n" + "y = 1\n" * 30},
        {"b/bad-name/good.py": "x = 0\n\nprint(x, 0)\n"},
        {"b/bad-name/good.py": None},
    ],
)
def test_examples_without_one_clear_finding_are_left_out(change: dict[str, str | None]) -> None:
    texts = {path: text for path, text in {**TEXTS, **change}.items() if text is not None}
    assert [each.message for each in find_examples(texts)] == MESSAGES[1:]


def test_each_message_is_found_missed_and_mended(small: None) -> None:
    splits = read()
    rows = [row for row in splits.train if row.origin.label == splits.train[0].origin.label]
    message = rows[0].origin.label
    finding, clean, mended = rows
    head, code = finding.turns[0].content.split("\n\n", 1)
    choices = head.partition("Look for: ")[2].split(", ")
    assert message in choices
    assert len(set(choices)) == 4
    assert {split_of(each) for each in choices} == {"train"}
    number = MESSAGES.index(message)
    assert code == f"```python\n1: x = {number}\n2: \n3: print(x, {number})\n```"
    assert finding.turns[1].content == f"line 3: {message}"
    assert clean.turns[0].content.startswith(head)
    assert clean.turns[1].content == NO_FINDING
    assert mended.turns[0].content.startswith(f"Rewrite this Python code without the finding {message} (line 3).")
    assert mended.turns[1].content == f"```python\nx = {number}\nprint(x)\n```"
    assert splits.origins == {"sdist:pylint-4.1.4": code_review.SOURCE.sha256}


def test_no_message_is_in_two_splits(small: None) -> None:
    splits = read()
    named = {name: {row.origin.label for row in getattr(splits, name)} for name in SPLITS}
    assert named["train"] | named["validation"] | named["test"] == set(MESSAGES)
    assert not named["train"] & (named["validation"] | named["test"])
    assert not named["validation"] & named["test"]


@pytest.mark.parametrize(
    ("said", "wanted", "right"),
    [
        ("line 3: bad-name", "line 3: bad-name", (True, True)),
        ("line 4: bad-name", "line 3: bad-name", (True, False)),
        ("line 3: bad-call", "line 3: bad-name", (False, True)),
        ("line 3: bad-name\nline 5: bad-name", "line 5: bad-name\nline 3: bad-name", (True, True)),
        ("line 3: bad-name", "line 3: bad-name\nline 5: bad-name", (True, False)),
        (NO_FINDING, "line 3: bad-name", (False, False)),
        ("line 3: bad-name", NO_FINDING, (False, False)),
        ("no finding", NO_FINDING, (True, True)),
        ("I see none.", NO_FINDING, (False, False)),
        ("", "line 3: bad-name", (False, False)),
    ],
)
def test_a_review_is_compared_by_finding_and_line(said: str, wanted: str, right: tuple[bool, bool]) -> None:
    check = check_review(said, wanted)
    assert (check.findings_right, check.lines_right) == right
    assert check.right == all(right)


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("```python\nx = 1\n```", True),
        ("x=1  # so", True),
        ("x = 2", False),
        ("x = (", False),
        ("", False),
        ("\0", False),
    ],
)
def test_mended_code_is_the_documentations_own(said: str, right: bool) -> None:
    assert check_review(said, "```python\nx = 1\n```").right == right
    assert not check_review(said, "```python\nx = (\n```").right


@pytest.mark.long
def test_the_real_examples_are_fetched_and_hold_no_label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADAPTERKIT_CACHE", str(tmp_path))
    splits = read()
    assert len(splits.train) > 600
    assert min(len(splits.validation), len(splits.test)) > 100
    assert (tmp_path / "sources" / "pylint-4.1.4.tar.gz").is_file()
    for row in (*splits.train, *splits.validation, *splits.test):
        asked, wanted = (turn.content for turn in row.turns)
        assert not re.search(r"#\s*\[[a-z-]+\]", asked)
        assert row.origin.label not in asked.partition("```python")[2]
        if not wanted.startswith("```"):
            assert check_review(wanted, wanted).right
        assert len(asked) + len(wanted) < 1300
        if wanted.startswith("line"):
            assert int(re.findall(r"\d+", wanted)[-1]) <= asked.count("\n")
    parse = [row.turns[1].content for row in splits.train if row.turns[1].content.startswith("```")]
    assert sum(check_review(each, each).right for each in parse) > 0.97 * len(parse)
