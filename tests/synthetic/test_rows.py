"""Rows of the five tasks: the same everywhere, none twice, whole, in splits whose test has forms of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from adapterkit.data.synthetic import (
    TASKS,
    capacity,
    generate,
    load_rows,
    rows_digest,
    rows_statistics,
    save_rows,
    split,
)
from adapterkit.data.synthetic.drawing import mixed, scattered
from adapterkit.errors import DataError, UnknownNameError, UsageError

ROOT = Path(__file__).parents[2]
KEYS = {"task", "template", "seen", "difficulty", "quality", "prompt", "answer", "check"}
# Whoever changes what a task makes changes these; nothing else may.
DIGESTS = {
    "coder": "0e9a17c6a590a73eb55cd82afda7d0163b05cb003cc7b4c9af7e07dcdbb3f8cc",
    "researcher": "943cdd0c5ee1d973cea17f1514fa0d8286831af64dac02524019c4de7ff98825",
    "security": "923e08a7ac7fde3492ae3d84ce2b6fb58698a4b938d843859465eced78055f50",
    "architect": "416d7da05fec8dc8c5103ae8b988e38fdf7bac078a18af1634136bad213b0959",
    "reviewer": "cbfde7800ff0d0ce3aab863453800e1510be2fd6d59e46e483c83f1ae49d4a59",
}

every_task = pytest.mark.parametrize("task", TASKS)


@every_task
def test_rows_are_whole(task: str) -> None:
    rows = generate(task, 1000)
    assert len(rows) == 1000
    for row in rows:
        assert set(row) == KEYS
        assert row["task"] == task
        assert row["prompt"].strip()
        assert row["answer"].strip()
        assert row["difficulty"] in (1, 2, 3)
        assert 0 < row["quality"] < 1
    assert len({row["quality"] for row in rows}) > 1


@every_task
@pytest.mark.parametrize("rows", [1000, 10_000])
def test_no_two_rows_are_equal(task: str, rows: int) -> None:
    assert len({row["prompt"] for row in generate(task, rows, seed=4)}) == rows


@every_task
def test_a_number_makes_one_row_and_no_other_number_the_same(task: str) -> None:
    for form in TASKS[task].forms():
        numbers = range(0, form.size, max(1, form.size // 400))
        made = [form.make(number) for number in numbers]
        assert len({row["prompt"] for row in made}) == len(made), form.name
        assert {(row["template"], row["seen"]) for row in made} == {(form.name, form.seen)}
        assert form.make(form.size - 1)["prompt"]


@every_task
def test_forms_have_names_of_their_own(task: str) -> None:
    assert max(Counter(form.name for form in TASKS[task].forms()).values()) == 1


@every_task
def test_the_same_seed_makes_the_same_rows_and_another_one_others(task: str) -> None:
    rows = generate(task, 500, seed=7)
    assert generate(task, 500, seed=7) == rows
    assert generate(task, 100, seed=7) == rows[:100]
    other = {row["prompt"] for row in generate(task, 500, seed=8)}
    assert len(other & {row["prompt"] for row in rows}) < 25


def test_rows_do_not_depend_on_the_seed_of_hashes_or_on_anything_else_here() -> None:
    code = """
import sys
from adapterkit.data.synthetic import TASKS, generate, rows_digest
for task in TASKS:
    print(task, rows_digest(generate(task, 1000, seed=0)))
assert not {"torch", "transformers", "datasets", "numpy"} & set(sys.modules)
"""
    environment = {**os.environ, "PYTHONHASHSEED": "3", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert dict(line.split() for line in done.stdout.splitlines()) == DIGESTS


@every_task
def test_more_rows_than_there_are_is_an_error_that_says_how_many_there_are(task: str) -> None:
    assert capacity(task) >= 10_000
    with pytest.raises(DataError, match=f"has {capacity(task):,} different rows"):
        generate(task, capacity(task) + 1)


def test_all_rows_of_a_small_form_can_be_drawn() -> None:
    form = min((form for task in TASKS.values() for form in task.forms()), key=lambda form: form.size)
    prompts = {form.make(number)["prompt"] for number in scattered(form.size, form.size, 5)}
    assert len(prompts) == form.size


def test_what_is_asked_for_wrongly_is_said() -> None:
    with pytest.raises(UnknownNameError, match=r"Unknown task 'code'\. Did you mean coder\?.*architect"):
        generate("code")
    with pytest.raises(UsageError, match="-1 rows"):
        generate("coder", -1)
    assert generate("coder", 0) == []


@pytest.mark.parametrize("size", [1, 2, 7, 97, 360, 1001, 4096])
@pytest.mark.parametrize("key", [0, 1, mixed(3, 4)])
def test_a_scattering_is_a_permutation(size: int, key: int) -> None:
    assert sorted(scattered(size, size, key)) == list(range(size))


@pytest.mark.parametrize("size", [720 * 700, 48 * 1024, 4048 * 12])
def test_a_scattering_looks_drawn(size: int) -> None:
    count = 400
    for key in range(6):
        values = scattered(count, size, key)
        for parts in (2, 3, 5, 7):
            low, high = [value % parts for value in values], [value * parts // size for value in values]
            assert _unevenness(low, parts) < 9
            assert _unevenness(high, parts) < 9
            assert _unevenness([*zip(low, high, strict=True)], parts * parts) < 9


def _unevenness(drawn: Sequence[object], cells: int) -> float:
    """Pearson's chi square, less its mean, in standard deviations."""
    expected, counted = len(drawn) / cells, Counter(drawn)
    square = sum((seen - expected) ** 2 / expected for seen in counted.values()) + expected * (cells - len(counted))
    return float((square - (cells - 1)) / (2 * (cells - 1)) ** 0.5)


def test_splitmix_gives_its_published_numbers() -> None:
    # The first output of the reference generator that starts from 0.
    assert mixed(0) == 0xE220A8397B1DCDAF


@every_task
def test_the_test_has_forms_that_training_never_sees(task: str) -> None:
    rows = generate(task, 1000, seed=2)
    train, validation, test = split(rows)
    assert (len(train), len(validation), len(test)) == (720, 80, 200)
    assert sorted(map(rows.index, [*train, *validation, *test])) == list(range(1000))
    trained, tested = ({row["template"] for row in part} for part in ([*train, *validation], test))
    assert not trained & tested
    known = TASKS[task].forms()
    assert 0.1 < sum(not form.seen for form in known) / len(known) < 0.35
    assert tested == {form.name for form in known if not form.seen}


def test_statistics_count_what_is_there() -> None:
    rows = [*generate("coder", 200), *generate("security", 100)]
    found = rows_statistics(rows)
    assert list(found) == ["coder", "security"]
    assert found["security"]["rows"] == found["security"]["different_prompts"] == 100
    assert found["coder"]["rows_unseen"] == 40
    assert sum(found["coder"]["difficulty"].values()) == 200
    assert found["coder"]["quality"]["lowest"] <= found["coder"]["quality"]["mean"] <= 1
    assert 0.05 < found["security"]["commonest_answer"] < 0.3


def test_rows_come_back_as_they_were_saved(tmp_path: Path) -> None:
    rows = [row for task in TASKS for row in generate(task, 20)]
    digest = save_rows(tmp_path / "rows.jsonl", rows)
    assert load_rows(tmp_path / "rows.jsonl", digest=digest) == rows
    assert digest == rows_digest(rows)


def test_rows_that_changed_on_the_disk_are_found(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    digest = save_rows(path, generate("security", 20))
    path.write_text(path.read_text("utf-8").replace("CWE-22 line 4", "CWE-22 line 3"), "utf-8")
    assert load_rows(path)
    with pytest.raises(DataError, match=f"{digest} was expected"):
        load_rows(path, digest=digest)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"task": "coder"}', "line 2: .*'template' is missing"),
        ('{"messages": []}', "'task' is missing or no str"),
        ("{", "line 2: Not JSON"),
    ],
)
def test_a_line_that_is_no_row_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "rows.jsonl"
    save_rows(path, generate("coder", 1))
    path.write_text(path.read_text("utf-8") + line + "\n", "utf-8")
    with pytest.raises(DataError, match=message):
        load_rows(path)
