"""Style packs: a folder a style, children below, whole pieces held out, and no piece on both sides."""

import os
from pathlib import Path

import pytest

from adapterkit.config.schema import DataConfig
from adapterkit.data import list_personas, read_splits
from adapterkit.data.leaks import spoken_words
from adapterkit.data.pack_files import pack_digest, read_pack
from adapterkit.errors import DataError, UnknownNameError, UsageError
from tests.data.packs import pop_pack, read, texts, write


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return pop_pack(tmp_path)


def said(*parts) -> list[str]:
    return [row.turns[-1].content for part in parts for row in part]


def test_a_parent_takes_all_rows_below_it_and_a_child_its_own(pack):
    whole, dance, synth = read(pack), read(pack, "dance_pop"), read(pack, "synth_pop")
    assert read(pack, "pop").digest == whole.digest
    for split in ("train", "validation", "test"):
        parts = [getattr(each, split) for each in (whole, dance, synth)]
        assert set(said(parts[1])) | set(said(parts[2])) < set(said(parts[0]))
        assert len({spoken_words(row) for row in parts[0]}) == len(parts[0])
    assert {text.split()[0] for text in said(dance.train, dance.validation, dance.test)} == {"dance"}
    assert [len(part) for part in (dance.train, dance.validation, dance.test)] == [12, 2, 2]
    assert not set(said(whole.train)) & set(said(dance.test, dance.validation, synth.test, synth.validation))
    assert whole.source.endswith("pop, pop")
    assert read_pack(pack).tags == {"pop": ("bright",), "dance_pop": ("fast",), "synth_pop": ()}


def test_a_row_is_a_prompt_and_a_text(pack):
    write(pack, {"dance_pop/own.jsonl": '{"text": "la", "prompt": "Sing."}\n'})
    rows = read(pack, "dance_pop", prompt="Go on.").train
    assert {row.turns[0].content for row in rows} <= {"Go on.", "Sing."}
    assert {row.origin.strata for row in rows} == {("dance_pop",)}
    assert {row.turns[0].content for row in read(pack, "synth_pop").train} == {"Write a piece."}


def test_a_long_text_is_rows_of_whole_paragraphs_in_one_split(tmp_path):
    long = "One line.\nAnd another.\n\n\n" + "word " * 150 + "\n\n" + "more " * 100 + "\n\nlast\n"
    write(tmp_path, {"pack.yaml": "name: a\n", "long.txt": "\ufeff" + long.replace("\n", "\r\n")})
    rows = read(tmp_path).train
    assert [len(row.turns[1].content.split()) for row in rows] == [154, 101]
    assert rows[0].turns[1].content.startswith("One line.\nAnd another.\n\nword")
    assert [row.origin.line for row in rows] == [1, 7]
    for number in range(20):
        write(tmp_path, {f"{number}.txt": f"Number {number}. " + "word " * 150 + f"\n\nend {number} " + "more " * 100})
    splits = read(tmp_path)
    by_file = {
        row.origin.path: {name for name in ("train", "validation", "test") if row in getattr(splits, name)}
        for part in (splits.train, splits.validation, splits.test)
        for row in part
    }
    assert len(by_file) == 21
    assert all(len(where) == 1 for where in by_file.values())
    assert len(splits.test) == 4


def test_tunes_are_read_without_their_names(tmp_path):
    tune = "X:1\nT:The Test -- Reel\nR:reel\nM:C|\nL:1/8\nK:D\nuA2(AB) d2|{e}fe~d2:|\n\nX:2\nT:Other\nM:2/4\nK:G\ngd|\n"
    write(tmp_path, {"pack.yaml": "name: dances\n", "tunes.abc": tune})
    rows = read(tmp_path).train
    assert said(rows) == ["M:C|\nL:1/8\nK:D\nA2AB d2|fed2:|", "M:2/4\nL:1/16\nK:G\ngd|"]
    assert [row.origin.line for row in rows] == [1, 9]


def test_folders_of_splits_are_followed(tmp_path):
    write(
        tmp_path,
        {
            "pack.yaml": "name: a\n",
            "train/a.jsonl": texts("a", 3),
            "validation/b.txt": "held out",
            "test/c.jsonl": texts("c", 2),
        },
    )
    splits = read(tmp_path)
    assert said(splits.train) == [f"a says line {number}." for number in range(3)]
    assert (said(splits.validation), len(splits.test)) == (["held out"], 2)
    assert (read(tmp_path, validation=None).validation, read(tmp_path, test=None).test) == ((), ())
    write(tmp_path, {"train/again.txt": "c says line 1."})
    with pytest.raises(DataError, match=r"again\.txt, line 1.*in 'train'.*is in 'test' .*c\.jsonl, line 2"):
        read(tmp_path)


def test_the_same_piece_of_two_children_is_never_on_both_sides(pack):
    # All of one child's texts stand in the other too, among others.
    write(pack, {"dance_pop/again.jsonl": texts("synth") + texts("house", 30)})
    whole, dance, synth = read(pack), read(pack, "dance_pop"), read(pack, "synth_pop")
    held = set(said(*(part for each in (whole, dance, synth) for part in (each.validation, each.test))))
    assert not held & set(said(whole.train, dance.train, synth.train))
    assert len(said(whole.train)) == len(set(said(whole.train)))
    assert set(said(synth.train)) - {text for text in said(synth.train) if "synth" not in text} <= set(
        said(dance.train)
    )


def test_variants_of_a_tune_stay_together(tmp_path):
    steps = ["GABc dedB", "cBAG FGAF", "dcBA GABd", "edcB AGFE", "gfed cdef", "BdAc GBFA", "DEFG ABcd", "ecdB cAGE"]
    bodies = [
        "|".join(steps[(start * 3 + at * at) % 8][:: -1 if at % 2 else 1] for at in range(6)) for start in range(8)
    ]
    tunes = {f"t{n}": f"X:1\nT:Tune {'abcdefgh'[n]}\nM:C|\nL:1/8\nK:G\n{body}|\n" for n, body in enumerate(bodies)}
    write(tmp_path, {"pack.yaml": "name: a\n", "all.abc": "\n".join(tunes.values())})
    splits = read(tmp_path)
    # The same tune in another book: another title and key, and one more bar.
    twin = {
        f"twin{n}.abc": f"X:1\nT:Named {'ijklmnop'[n]}\nM:C|\nL:1/8\nK:D\n{body}|d8|\n" for n, body in enumerate(bodies)
    }
    both = read(write(tmp_path, twin))
    for split in ("train", "validation", "test"):
        melodies = {text.split("\n")[3].removesuffix("d8|") for text in said(getattr(both, split))}
        others = {
            text.split("\n")[3].removesuffix("d8|")
            for name in ("train", "validation", "test")
            if name != split
            for text in said(getattr(both, name))
        }
        assert not melodies & others
    assert len(said(both.train, both.validation, both.test)) == 2 * len(
        said(splits.train, splits.validation, splits.test)
    )


def test_rows_do_not_depend_on_the_disks_order(pack, tmp_path, monkeypatch):
    plain = read(pack)
    listed = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda self: sorted(listed(self), reverse=True))
    backwards = read(pack)
    assert backwards.digest == plain.digest
    assert backwards.train == plain.train
    monkeypatch.undo()
    elsewhere = tmp_path / "elsewhere"
    os.rename(pack, elsewhere)
    assert read(elsewhere).digest == plain.digest
    assert list(plain.origins.values()) == list(read(elsewhere).origins.values())


def test_the_digest_of_a_pack_follows_its_files(pack):
    ((origin, before),) = read(pack).origins.items()
    assert origin == f"folder:{pack}"
    assert pack_digest(pack) == before
    write(pack, {".hidden": "x", "LICENSE": "y"})
    assert pack_digest(pack) == before
    write(pack, {"dance_pop/pack.yaml": "name: dance_pop\n"})
    assert pack_digest(pack) not in (before, None)
    assert pack_digest(pack / "missing") is None


def test_what_is_asked_wrongly_is_told(pack):
    with pytest.raises(UnknownNameError, match=r"Unknown style 'dance'\. Did you mean dance_pop.*pop, dance_pop"):
        read(pack, "dance")
    with pytest.raises(UsageError, match="needs a folder"):
        read_splits(DataConfig(reader="style_pack"), None)
    with pytest.raises(UsageError, match=r"data\.style=pop"):
        read_splits(DataConfig(reader="style_pack", train=str(pack)), "pop")
    with pytest.raises(UsageError, match=r"data\.test=other.*a folder 'test' of its style"):
        read(pack, test="other")
    with pytest.raises(UsageError, match=r"data=presidents has no styles.*data=session_dance or data=style_pack"):
        read_splits(DataConfig(reader="presidents", style="reel"), None)
    assert list_personas(DataConfig(reader="style_pack", train=str(pack))) == ()
