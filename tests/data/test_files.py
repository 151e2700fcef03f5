"""One's own files: every shape of row, packed and in columns, many files, splits files, and lazy rows."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapterkit.config.schema import DataConfig
from adapterkit.data import Splits, Turn, list_personas, read_splits, thin
from adapterkit.data.files import read_files
from adapterkit.errors import DataError, UnknownNameError, UsageError

ROWS = {
    "chat": {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]},
    "completion": {"prompt": "q", "completion": "a"},
    "instruction": {"instruction": "q", "output": "a"},
    "examples": {"input": "q", "output": "a"},
    "preference": {"prompt": "q", "chosen": "a", "rejected": "b"},
}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def read(reader: str, train: Path | str, persona: str | None = None, **more: Any) -> Splits:
    return read_splits(DataConfig(reader=reader, train=str(train), **more), persona)


def pairs(*said: str) -> list[dict[str, Any]]:
    return [{"prompt": f"ask about {word}", "completion": f"all of {word}"} for word in said]


def answers(rows: Any) -> list[str]:
    return [row.turns[-1].content for row in rows]


@pytest.mark.parametrize("reader", ROWS)
@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".parquet"])
def test_every_shape_is_read_from_every_kind_of_file(reader: str, suffix: str, tmp_path: Path) -> None:
    row = read(reader, write(tmp_path / f"x{suffix}", [{**ROWS[reader], "persona": "anna"}])).train[0]
    assert row.turns == (Turn("user", "q"), Turn("assistant", "a"))
    assert (row.origin.label, row.origin.line, row.weight) == ("anna", 1, 1.0)
    assert row.rejected == ("b" if reader == "preference" else None)


def test_an_input_stands_below_its_instruction(tmp_path: Path) -> None:
    rows = [{"instruction": "add", "input": given, "output": "3"} for given in ("1 2", "", None)]
    asked = [row.turns[0].content for row in read("instruction", write(tmp_path / "x.jsonl", rows)).train]
    assert asked == ["add\n\n1 2", "add", "add"]


@pytest.mark.parametrize("weight", [0, -1, "2", True, 1e31, [1]])
def test_a_weight_is_a_number_above_zero(weight: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", [{"input": "q", "output": "a", "weight": weight}])
    with pytest.raises(DataError, match="line 1: 'weight' is"):
        read("examples", path)


def test_equal_answers_are_no_preference(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing is preferred"):
        read("preference", write(tmp_path / "x.jsonl", [{"prompt": "q", "chosen": "a", "rejected": "a "}]))


def test_weights_and_rejected_answers_are_part_of_the_digest_and_plain_rows_are_as_ever(tmp_path: Path) -> None:
    plain = [{"input": "q", "output": "a"}, {"input": "r", "output": "b", "weight": 1}]
    chat = [
        {"messages": [{"role": "user", "content": ask}, {"role": "assistant", "content": said}]}
        for ask, said in (("q", "a"), ("r", "b"))
    ]
    own = read("examples", write(tmp_path / "a.jsonl", plain)).digest
    assert own == read("chat", write(tmp_path / "b.jsonl", chat)).digest
    # The digest as it was before rows had weights.
    assert own == "efb98b5d1a93bdc9eb5e30473344d7506ed18236fd63a9d6d5515989edf8d8d5"
    plain[1]["weight"] = 2
    assert own != read("examples", write(tmp_path / "c.jsonl", plain)).digest
    rejected = [{"prompt": "q", "chosen": "a", "rejected": word} for word in ("x", "y")]
    assert (
        len({read("preference", write(tmp_path / f"{n}.jsonl", [row])).digest for n, row in enumerate(rejected)}) == 2
    )


def test_rows_in_a_file_are_rows_in_memory(tmp_path: Path) -> None:
    rows = [{**row, "persona": "anna" if n % 3 else "ben"} for n, row in enumerate(pairs(*map(str, range(50))))]
    lazy = read("completion", write(tmp_path / "x.jsonl", rows))
    held = Splits(tuple(lazy.train), (), (), "memory")
    assert held.digest == lazy.digest
    assert tuple(lazy.train) == held.train == lazy.train[:]
    for limit in (1, 7, 20, 49):
        assert tuple(thin(lazy.train, limit)) == tuple(thin(held.train, limit))
    with_system = read("completion", tmp_path / "x.jsonl", "anna", system="be brief", max_train_rows=5).train
    assert [row.turns[0] for row in with_system] == [Turn("system", "be brief")] * 5
    assert {row.origin.label for row in with_system} == {"anna"}


def test_many_files_are_read_in_the_order_of_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, said in (("b.jsonl", "two"), ("a.parquet", "one"), ("sub/c.jsonl.gz", "three"), ("note.txt", "none")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write(tmp_path / name, pairs(said))
    rows = read("completion", tmp_path)
    assert answers(rows.train) == ["all of one", "all of two", "all of three"]
    assert len(rows.origins) == 3
    plain = Path.rglob
    monkeypatch.setattr(Path, "rglob", lambda *a, **k: reversed(list(plain(*a, **k))))
    assert read("completion", tmp_path).digest == rows.digest
    assert answers(read("completion", f"{tmp_path}/*.jsonl").train) == ["all of two"]
    assert read("completion", tmp_path / "b.jsonl").train[0].origin.path == str(tmp_path / "b.jsonl")


def test_a_folder_without_rows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "note.txt").touch()
    with pytest.raises(DataError, match=r"directory without a \.jsonl or"):
        read("completion", tmp_path)


def test_a_datasets_folder_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "set"
    folder.mkdir()
    write(folder / "train.jsonl", pairs("one", "two"))
    rows = read("completion", f"datasets:{folder}")
    assert answers(rows.train) == ["all of one", "all of two"]
    with pytest.raises(DataError, match="`datasets` cannot load it"):
        read("completion", f"datasets:{folder}:nosuchsplit")


def test_a_file_that_changes_while_it_is_used_is_found_out(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", pairs("one", "two"))
    rows = read("completion", path).train
    with path.open("ab") as file:
        file.write(b"\n")
    with pytest.raises(DataError, match="changed while it was read"):
        rows[0]


def divided(tmp_path: Path, splits: Any, **more: Any) -> Callable[[str | None], Splits]:
    rows = [{**row, "id": f"id-{n}"} for n, row in enumerate(pairs(*map(str, range(8))))]
    train, file = write(tmp_path / "x.jsonl", rows), tmp_path / "splits.json"
    file.write_text(splits if isinstance(splits, str) else json.dumps(splits))
    more = {"near_duplicates": "ignore"} | more
    return lambda persona: read("completion", train, persona, splits=str(file), **more)


def test_a_splits_file_gives_each_persona_its_rows(tmp_path: Path) -> None:
    of = divided(
        tmp_path,
        {"anna": {"train": [3, 1], "validation": [0], "test": ["id-7"]}, "ben": {"train": ["id-1", 4], "test": [5]}},
    )
    anna, everybody = of("anna"), of(None)
    assert answers(anna.train) == ["all of 1", "all of 3"]
    assert [answers(anna.validation), answers(anna.test)] == [["all of 0"], ["all of 7"]]
    assert answers(everybody.train) == ["all of 1", "all of 3", "all of 4"]
    assert answers(everybody.test) == ["all of 5", "all of 7"]
    config = DataConfig(reader="completion", train="x", splits=str(tmp_path / "splits.json"))
    assert list_personas(config) == ("anna", "ben")
    with pytest.raises(UnknownNameError, match=r"Unknown persona 'ana'\. Did you mean anna\? .* names 2: anna, ben\."):
        of("ana")


@pytest.mark.parametrize(
    ("splits", "told"),
    [
        ({"a": {"train": [8]}}, "names the row 8, and the last row is 7"),
        ({"a": {"train": [-1]}}, "names the row -1"),
        ({"a": {"train": ["id-9"]}}, "no row has the id 'id-9'"),
        ({"a": {"train": [1, 1]}}, "names the row 1 twice"),
        ({"a": {"train": [1, "id-1"]}}, "names the row 'id-1' twice"),
        ({"a": {"train": [1], "test": [1]}}, "names row 1, which is in a's train too"),
        ({"a": {"train": [1]}, "b": {"train": [2], "test": [1]}}, "names row 1, which is in a's train too"),
        ({"a": {"train": [1], "dev": [2]}}, "has the split 'dev'; the splits are train, validation, test"),
        ({"a": {"train": [True]}}, "holds True, no row number"),
        ({"a": {"train": 1}}, "must be a list"),
        ({"a": {"test": [1]}}, "has no row to train on"),
        ({"a": [1]}, "needs a name, and splits"),
        ({}, "names no persona"),
        ([1], "holds a list"),
        ('{"a": {"train": [1]}, "a": {"train": [2]}}', "the key 'a' stands twice"),
    ],
)
def test_a_wrong_splits_file_is_refused(splits: Any, told: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        divided(tmp_path, splits)("a")
    assert told in str(caught.value)
    assert caught.value.path == tmp_path / "splits.json"


def test_a_splits_file_and_held_out_files_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"data\.splits divides"):
        divided(tmp_path, {"a": {"train": [1]}}, test="y.jsonl")("a")


def test_numbers_of_a_splits_file_count_rows_that_were_set_aside(tmp_path: Path) -> None:
    lines = [json.dumps(row) for row in pairs("zero", "one", "two")]
    (tmp_path / "x.jsonl").write_text("\n".join([lines[0], "{", "", lines[2]]))
    (tmp_path / "s.json").write_text('{"a": {"train": [0, 1, 2]}}')
    more = {"splits": str(tmp_path / "s.json"), "on_bad_row": "quarantine", "max_bad_ratio": 0.5}
    assert answers(read("completion", tmp_path / "x.jsonl", "a", **more).train) == ["all of zero", "all of two"]


@pytest.mark.parametrize("last", ["[2]", "{"])
def test_a_splits_file_may_name_a_last_row_that_was_set_aside(last: str, tmp_path: Path) -> None:
    lines = [json.dumps(row) for row in pairs("zero", "one")]
    (tmp_path / "x.jsonl").write_text("\n".join([*lines, last]))
    (tmp_path / "s.json").write_text('{"a": {"train": [0, 2]}}')
    more = {"splits": str(tmp_path / "s.json"), "on_bad_row": "quarantine", "max_bad_ratio": 0.5}
    assert answers(read("completion", tmp_path / "x.jsonl", "a", **more).train) == ["all of zero"]


def test_a_splits_file_whose_training_rows_are_all_set_aside_says_so(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text("\n".join([json.dumps(pairs("zero")[0]), "{"]))
    (tmp_path / "s.json").write_text('{"a": {"train": [1]}}')
    more = {"splits": str(tmp_path / "s.json"), "on_bad_row": "quarantine", "max_bad_ratio": 0.5}
    for persona, whose in ((None, ""), ("a", " of persona 'a'")):
        with pytest.raises(DataError, match=f"Of the rows{whose} that .*s.json names to train on, none is left"):
            read("completion", tmp_path / "x.jsonl", persona, **more)


@pytest.mark.parametrize(
    ("train", "error", "told"),
    [
        ("auto", UsageError, "data=completion needs a file to train on"),
        (" ", UsageError, "data.train is empty"),
        ("datasets:", DataError, "names no dataset: datasets:NAME"),
        ("**x/*.jsonl", DataError, "No file can be looked for here"),
        ("x" * 5000, DataError, "No file can be looked for here"),
    ],
)
def test_what_names_no_file_is_refused(train: str, error: type[Exception], told: str) -> None:
    with pytest.raises(error) as caught:
        read("completion", train)
    assert told in str(caught.value)


@pytest.mark.parametrize("other", [[2], {"b": 1}, None, 3])
def test_an_id_that_is_no_text_is_the_name_of_no_row(other: Any, tmp_path: Path) -> None:
    first, second = pairs("zero", "one")
    (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, [{**first, "id": other}, {**second, "id": "b"}])))
    (tmp_path / "s.json").write_text('{"a": {"train": ["b"]}}')
    assert answers(read("completion", tmp_path / "x.jsonl", "a", splits=str(tmp_path / "s.json")).train) == [
        "all of one"
    ]


def test_the_quick_parser_takes_no_more_and_no_less_than_the_strict_one() -> None:
    from adapterkit.data import jsonl

    draw = np.random.default_rng(0)
    seeds = [
        b'{"a": "x:y", "b": [1, {"c": null}]}',
        rb'{"a": "\u00e9\n", "a:": "\\:"}',
        '{"é": "ü", "n": -1.5e3}'.encode(),
    ]
    agreed = 0
    for _ in range(20_000):
        line = bytearray(seeds[draw.integers(3)])
        for _ in range(draw.integers(0, 4)):
            place = draw.integers(len(line))
            line[place : place + draw.integers(0, 3)] = bytes(
                draw.choice(list(b'":,{}[]\\u0d8a1e-. \xff\xc3'), draw.integers(0, 3))
            )
        found = []
        for parse in (jsonl.parse_object, jsonl._parse):
            try:
                found.append(repr(parse("x", 1, bytes(line))))
            except DataError as error:
                found.append(str(error))
        assert found[0] == found[1], bytes(line)
        agreed += found[0].startswith("{")
    assert agreed > 1000


def test_readers_of_files_are_told_apart_by_their_rows_alone() -> None:
    with pytest.raises(UsageError, match=r"data=preference needs a file to train on"):
        read_files(DataConfig(reader="preference"), None, lambda row, origin: None)  # type: ignore[arg-type,return-value]
