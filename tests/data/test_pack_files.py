"""A pack's folder: settings read strictly, and every odd thing in it told with its place."""

import os
from pathlib import Path

import pytest

from adapterkit.errors import DataError
from tests.data.packs import pop_pack, read, write


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return pop_pack(tmp_path)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("", "not a table|documents"),
        ("- a\n", "not a table"),
        ("tags: [a]\n", "no name"),
        ("name: 3\n", "no name"),
        ("name: Dance Pop\n", "cannot name an adapter"),
        ("name: a\nlabel: b\n", "'label' is no key of a pack.*name, parent, tags"),
        ("name: a\ntag: [b]\n", "Did you mean tags"),
        ("name: a\ntags: fast\n", "list of texts"),
        ("name: a\ntags: [1]\n", "list of texts"),
        ("name: a\nparent: [b]\n", "parent must be a name"),
        ("name: a\nparent: a\n", "The parent of 'a' cannot be 'a'"),
        ("name: a\nname: b\n", "twice"),
        ("name: &x a\nparent: *x\n", "aliases"),
        ("name: !!str a\n", "tag"),
        ("name: ${oc.env:HOME}\n", "interpolation"),
        ("name: a\n<<: {tags: [b]}\n", "<<"),
        ("name: [a\n", "not YAML"),
        ("name: a\n#" + "x" * 300_000, "larger than"),
    ],
)
def test_settings_are_read_strictly(tmp_path, settings, told):
    write(tmp_path, {"pack.yaml": settings, "a.txt": "text"})
    with pytest.raises(DataError, match=told) as caught:
        read(tmp_path)
    assert caught.value.path == tmp_path / "pack.yaml"


def test_parents_and_names_must_agree(pack):
    write(pack, {"dance_pop/pack.yaml": "name: dance_pop\nparent: rock\n"})
    with pytest.raises(DataError, match="said to be 'rock', and the folder above is 'pop'"):
        read(pack)
    write(pack, {"dance_pop/pack.yaml": "name: synth_pop\n"})
    with pytest.raises(DataError, match="Another style of this pack is called 'synth_pop'"):
        read(pack)
    # The parent of the whole lies outside.
    assert read(write(pack / "synth_pop", {"pack.yaml": "name: synth_pop\nparent: pop\n"})).train


def link(folder: Path) -> None:
    (folder / "linked.txt").symlink_to(folder / "pack.yaml")


def circle(folder: Path) -> None:
    (folder / "again").symlink_to(folder)


def pipe(folder: Path) -> None:
    os.mkfifo(folder / "pipe.txt")


def large(folder: Path) -> None:
    (folder / "big.txt").touch()
    os.truncate(folder / "big.txt", (16 << 20) + 1)


def plain_folder(folder: Path) -> None:
    write(folder, {"more/a.txt": "a"})


def deep(folder: Path) -> None:
    for depth in range(20):
        folder = folder / f"d{depth}"
        write(folder, {"pack.yaml": f"name: d{depth}\n"})


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (link, "linked.txt: This is a link"),
        (circle, "again: This is a link"),
        (pipe, "neither a file nor a folder"),
        (plain_folder, "more: There is no pack.yaml"),
        (deep, "more than 16 deep"),
        (lambda folder: write(folder, {"a.csv": "a"}), r"a\.csv: A pack's texts end in \.txt, \.jsonl, \.abc"),
        (lambda folder: write(folder, {"test/x/a.txt": "a"}), "no folders"),
        (lambda folder: write(folder, {"test/pack.yaml": "name: test\n"}), "take pack.yaml away"),
        (lambda folder: write(folder, {"empty.txt": " \n\n"}), "says nothing"),
        (lambda folder: write(folder, {"empty.jsonl": ""}), "empty"),
        (lambda folder: write(folder, {"none.abc": "no tune\n"}), "No tune is here"),
        (lambda folder: write(folder, {"bad.abc": "X:1\nM:C|\nK:D\nAB|\nA=20|\n"}), "bad.abc, line 5: "),
        (lambda folder: write(folder, {"bad.abc": "X:1\nK:D\nAB|\n"}), "bad.abc, line 1: .*no M:"),
        (
            lambda folder: write(folder, {"a.jsonl": '{"text": "x"}\n{"txt": "y"}\n'}),
            "a.jsonl, line 2: .*'txt' is no key",
        ),
        (lambda folder: write(folder, {"a.jsonl": '{"text": " "}\n'}), "'text' must be a text"),
        (lambda folder: write(folder, {"a.jsonl": '{"prompt": "y"}\n'}), "'text' must be a text"),
        (lambda folder: write(folder, {"a.jsonl": '{"text": "x", "prompt": 3}\n'}), "'prompt' must be a text"),
        (lambda folder: (folder / "bad.txt").write_bytes(b"one\n\xff\n"), "bad.txt, line 2: Not UTF-8: byte 0xff"),
        (large, "larger than 16 MiB"),
    ],
)
def test_odd_things_are_told(pack, make, told):
    make(pack)
    with pytest.raises(DataError, match=told):
        read(pack)


def test_what_is_no_pack_is_told(tmp_path):
    for path, told in (
        (tmp_path / "missing", "no such folder"),
        (Path(__file__), "no folder"),
        (tmp_path, "no pack.yaml"),
    ):
        with pytest.raises(DataError, match=told):
            read(path)
    write(tmp_path, {"pack.yaml": "name: a\n"})
    with pytest.raises(DataError, match="nothing to train on"):
        read(tmp_path)
