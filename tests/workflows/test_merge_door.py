"""The merging door as a process: exit codes, messages without a traceback, sweeps with their table."""

from __future__ import annotations

import json

import pytest

from tests.driving import door
from tests.stack.kin import Kin


@pytest.fixture(scope="module")
def kin(tiny_base_dir, tmp_path_factory):
    made = Kin(tiny_base_dir, tmp_path_factory.mktemp("kin"))
    made.publish("coder", seed=1)
    made.publish("security", seed=2)
    made.publish("dora", seed=3, use_dora=True)
    return made


def merged(kin, *words):
    return door(kin.folder, *words, "device=cpu", of="merge")


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        (["method=tis"], "Did you mean ties", 2),
        (["densty=1"], "Did you mean density", 2),
        ([], "nothing to merge", 2),
        (["adapters=[coder,dora]"], "adapterkit compatible coder@1.0.0 dora@1.0.0", 1),
        (["adapters=[coder,nobody]"], "No adapter 'nobody'", 1),
    ],
)
def test_a_wrong_command_line_is_one_message(kin, words, said, code):
    before = sorted(path.name for path in kin.folder.iterdir())
    done = merged(kin, *words)
    assert done.returncode == code
    assert said in done.stderr
    assert "search path" not in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert sorted(path.name for path in kin.folder.iterdir()) == before


def test_one_merge_from_the_command_line(kin):
    words = ("method=ties", "adapters=[coder@1.0.0,security@1.0.0]", "weights=[0.7,0.3]", "density=0.3", "name=one")
    done = merged(kin, *words)
    assert done.returncode == 0, done.stderr
    assert "Published one@1.0.0" in done.stdout
    assert "coder@1.0.0 x 0.7, security@1.0.0 x 0.3" in done.stdout
    assert "in plain PEFT the same numbers, to the last bit" in done.stdout
    (run,) = (kin.folder / "outputs" / "one").iterdir()
    assert {path.name for path in run.iterdir()} == {".hydra", "merge.log", "final_artifact"}
    again = merged(kin, *words)
    assert again.returncode == 0, again.stderr
    assert "one@1.0.0 is up to date" in again.stdout
    assert list((kin.folder / "outputs" / "one").iterdir()) == [run]


@pytest.mark.long
def test_a_sweep_publishes_distinct_names_and_ends_in_a_table(kin):
    words = ("adapters=[coder,security]", "name=swept", "test_decode_parity=false", "held_out.recorded=false")
    done = merged(kin, "--multirun", "method=ties,slerp,average", "weights=[0.5,0.5],[0.7,0.3]", *words)
    assert done.returncode == 2  # An average of unequal weights is none, and says so; the others are made.
    assert "An average takes all alike" in done.stderr
    assert "Traceback" not in done.stderr
    names = ["swept.average.weights_0.5_0.5", *(
        f"swept.{method}.weights_{weights}" for method in ("slerp", "ties") for weights in ("0.5_0.5", "0.7_0.3")
    )]  # fmt: skip
    assert [name for name in kin.registry.names() if name.startswith("swept")] == names
    (folder,) = (kin.folder / "outputs" / "merges").iterdir()
    rows = json.loads((folder / "comparison.json").read_text())
    assert [(row["method"], row["weights"]) for row in rows] == [
        ("ties", [0.5, 0.5]), ("ties", [0.7, 0.3]), ("slerp", [0.5, 0.5]), ("slerp", [0.7, 0.3]),
        ("average", [0.5, 0.5]),
    ]  # fmt: skip
    for row in rows:
        manifest = kin.registry.manifest(row["ref"])
        assert row["left_out"] == manifest.metrics["left_out_by_the_rank"] > 0
    text = (folder / "comparison.txt").read_text()
    assert text in done.stdout
    assert text.splitlines()[0].split("   ")[0] == "method"
    assert text.count("swept.") == 5
    assert {path.name for path in folder.iterdir() if path.is_dir()} == set(names)
