"""Augmentation: only rows to train on, the same copies everywhere, and nothing that is held out."""

import pytest

from adapterkit.config.schema import DataConfig
from adapterkit.data import Conversation, Origin, Turn, read_splits
from adapterkit.data.abc import metre_score, transpose
from adapterkit.data.abc.tune import parse_tune
from adapterkit.data.augment import augment
from adapterkit.errors import UnknownNameError, UsageError

JIG = "M:6/8\nL:1/8\nK:G\nD|GAB c2d|edc B2A|GAB cde|dBG G2:|"


def row(text, prompt="Write a tune."):
    return Conversation((Turn("user", prompt), Turn("assistant", text)), Origin("f", 1, "", ("jig",)))


def said(rows):
    return [each.turns[-1].content for each in rows]


def test_each_tune_gets_one_copy_in_another_key():
    rows = [row(JIG), row(JIG.replace("GAB", "BAG")), row("A paragraph of prose.")]
    kept = augment(rows, ["transpose"], 0, ())
    assert kept[:3] == tuple(rows)
    assert len(kept) == 5
    for before, after in zip(rows[:2], kept[3:], strict=True):
        assert after.turns[0] == before.turns[0]
        assert after.origin == before.origin
        assert after.turns[1] != before.turns[1]
        assert metre_score(after.turns[1].content) == metre_score(before.turns[1].content)


def test_a_seed_decides_which_copy():
    rows = [row(JIG.replace("GAB", f"G{letter}B")) for letter in "ABCDEFGabc"]
    first = said(augment(rows, ["transpose"], 0, ()))
    assert first == said(augment(rows, ["transpose"], 0, ()))
    # What a row's copy is hangs on that row alone.
    assert said(augment(rows[3:], ["transpose"], 0, ()))[7:] == first[13:]
    assert first != said(augment(rows, ["transpose"], 1, ()))


def test_a_copy_that_is_held_out_is_left_out():
    (_, copy) = augment([row(JIG)], ["transpose"], 0, ())
    assert augment([row(JIG)], ["transpose"], 0, [copy]) == (row(JIG),)
    assert augment([row(JIG), copy], ["transpose"], 0, ())[:2] == (row(JIG), copy)
    assert len(set(said(augment([row(JIG), copy], ["transpose"], 0, ())))) == len(
        said(augment([row(JIG), copy], ["transpose"], 0, ()))
    )


@pytest.mark.parametrize(
    "left_alone",
    [
        row("K:G\nthere is no metre"),
        row(JIG.replace("K:G", "K:HP")),
        row(JIG, prompt="Write a tune with K:G."),
        Conversation(
            (Turn("user", "a"), Turn("assistant", JIG), Turn("user", "b"), Turn("assistant", JIG)), Origin("f", 1)
        ),
    ],
)
def test_what_is_no_tune_alone_is_left_alone(left_alone):
    assert augment([left_alone], ["transpose"], 0, ()) == (left_alone,)


def test_names_are_checked():
    with pytest.raises(UnknownNameError, match=r"Unknown augmentation 'transposed'\. Did you mean transpose"):
        augment([], ["transposed"], 0, ())
    with pytest.raises(UnknownNameError, match="takes transpose"):
        read_splits(DataConfig(reader="chat", train="missing.jsonl", augment=["louder"]), None)
    with pytest.raises(UsageError, match="names one twice"):
        augment([], ["transpose", "transpose"], 0, ())


def test_only_the_rows_to_train_on_are_changed(tmp_path):
    (tmp_path / "pack.yaml").write_text("name: jigs\n")
    bodies = [f"{a}{b}c d2e|{b}{a}B A2G|" for a in "GABcde" for b in "FGAB"]
    tunes = [f"X:{number}\nM:6/8\nL:1/8\nK:D\n{body}\n" for number, body in enumerate(bodies)]
    (tmp_path / "jigs.abc").write_text("\n".join(tunes))
    config = {"reader": "style_pack", "train": str(tmp_path), "validation": "auto", "test": "auto", "max_train_rows": 6}
    plain = read_splits(DataConfig(**config), None)
    more = read_splits(DataConfig(**config, augment=["transpose"]), None)
    assert (more.validation, more.test) == (plain.validation, plain.test)
    assert more.train[:6] == plain.train
    assert len(more.train) == 12
    assert more.digest != read_splits(DataConfig(**config, augment=["transpose"], seed=1), None).digest
    held = {text for each in (*plain.test, *plain.validation) for text in said([each])}
    keys = {each: transpose(parse_tune(each), fifths) for each in said(more.train[6:]) for fifths in (1,)}
    assert not held & keys.keys()
