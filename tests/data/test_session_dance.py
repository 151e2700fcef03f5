"""Dance tunes: five styles, none named in a row, variants held out together; a made-up corpus, and the real one."""

import re
from hashlib import sha256

import pytest

from adapterkit.config.schema import DataConfig
from adapterkit.data import list_personas, read_splits
from adapterkit.data import session_dance as module
from adapterkit.data.abc import keys_near, metre_score, parse_tune, transpose
from adapterkit.data.abc.keys import Key
from adapterkit.data.dance_tunes import STYLES, read_dance_tunes
from adapterkit.data.tune_families import family_links
from adapterkit.data.whole_pieces import gather, split_pieces
from adapterkit.errors import DataError, UnknownNameError, UsageError

SPLITS = ("train", "validation", "test")
NAMES = (
    *("ash", "birch", "cedar", "elm", "fir", "hazel", "larch", "lime", "maple", "oak", "pine", "rowan"),
    *("sloe", "spruce", "thorn", "willow", "yew", "alder", "beech", "box"),
)


def body(number):
    """Four bars that no other number has."""
    digits = sha256(bytes([number])).digest()
    return "|".join("".join("CDEFGABcdefg"[digits[8 * bar + at] % 12] for at in range(8)) for bar in range(4)) + "|"


def tune(number, rhythm, title, *, key="G", bars=None):
    head = f"X: {number}\nT: {title}\nR:{rhythm}\nB:a book\nM:C|\nL:1/8\n"
    return f"{head}K:{key}\n{bars or body(number)}\n\n"


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """Twelve reels and eight slip jigs in two books, with doubles, a variant, a damaged tune and another dance."""
    (tmp_path / "ryansMammoth").mkdir()
    (tmp_path / "oneills1850").mkdir()
    for number in range(12):
        text = tune(number, "Reel", f"{NAMES[number]} -- Reel")
        (tmp_path / "ryansMammoth" / f"{NAMES[number]}.abc").write_text(text)
    others = [tune(20 + number, "slipjig", f"The {NAMES[12 + number]}") for number in range(8)]
    others += [
        tune(90, "reel", "Another Name", bars=body(3)),
        tune(91, "reel", "The Ash", bars="a8|b8|"),
        tune(92, "reel", "Cedar in D", key="D", bars=body(2) + "d8|"),
        tune(93, "reel", "Damaged", bars="ab=20|"),
        tune(94, "air", "An Air"),
    ]
    (tmp_path / "oneills1850" / "0001.abc").write_text("".join(others))
    monkeypatch.setattr(module, "corpus_folder", lambda *_, **__: tmp_path)
    read_dance_tunes.cache_clear()
    return tmp_path


def read(style=None, **config):
    given = {"validation": "auto", "test": "auto"} | config
    return read_splits(DataConfig(reader="session_dance", style=style, **given), None)


def rows_of(splits):
    return {split: getattr(splits, split) for split in SPLITS}


def test_doubles_damaged_tunes_and_other_dances_are_left_out(corpus):
    rows = [row for part in rows_of(read()).values() for row in part]
    counts = {style: sum(row.origin.label == style for row in rows) for style in STYLES}
    assert counts == {"reel": 14, "slip_jig": 8, "jig": 0, "hornpipe": 0, "strathspey": 0}
    assert len({row.turns for row in rows}) == len(rows)


def test_a_styles_rows_are_those_of_the_whole(corpus):
    whole = rows_of(read())
    for style in ("reel", "slip_jig"):
        own = rows_of(read(style))
        assert {split: [row for row in whole[split] if row.origin.label == style] for split in SPLITS} == {
            split: list(part) for split, part in own.items()
        }
        assert all(own.values())
    assert read("Slip Jig").digest == read("slip_jig").digest


def test_variants_go_to_one_split(corpus):
    where = {row.turns[1].content: split for split, part in rows_of(read()).items() for row in part}
    plain = "M:C|\nL:1/8\nK:{}\n{}"
    assert where[plain.format("G", body(0))] == where[plain.format("G", "a8|b8|")]
    assert where[plain.format("G", body(2))] == where[plain.format("D", body(2) + "d8|")]


def test_nothing_in_a_row_names_its_style(corpus):
    for part in rows_of(read()).values():
        for row in part:
            assert [turn.role for turn in row.turns] == ["user", "assistant"]
            assert row.turns[0].content == "Write a dance tune for a session, in ABC notation."
            assert re.fullmatch(r"M:.*\nL:.*\nK:.*\n(?:[^A-Z\n]|[A-G])*", row.turns[1].content)
    assert read(prompt="Play.").train[0].turns[0].content == "Play."


def test_splits_that_are_null_stay_out_of_training(corpus):
    splits = read("reel", validation=None, test=None)
    assert (splits.validation, splits.test) == ((), ())
    assert splits.train == read("reel").train


def test_what_is_asked_wrongly_is_told(corpus):
    with pytest.raises(UnknownNameError, match=r"Unknown style 'real'\. Did you mean reel.*reel, jig, hornpipe"):
        read("real")
    with pytest.raises(UsageError, match=r"styles and no personas: data\.style=reel"):
        read_splits(DataConfig(reader="session_dance"), "reel")
    with pytest.raises(UsageError, match="splits itself"):
        read(train="mine.abc")
    assert list_personas(DataConfig(reader="session_dance")) == ()


def test_a_corpus_without_tunes_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "corpus_folder", lambda *_, **__: tmp_path)
    read_dance_tunes.cache_clear()
    with pytest.raises(DataError, match="No dance tune is here"):
        read()


def test_titles_without_their_dance_tie_tunes_and_a_dance_alone_does_not():
    named = ["The Ash -- Reel", "Ash, The (2nd)", "A Reel", "THE REEL", "", "Ash Hornpipe No. 3", "Ashes"]
    families = gather(family_links([(name, "M:C|\nL:1/8\nK:G\nA|") for name in named]))
    assert families == [0, 0, 2, 3, 4, 0, 6]


def test_shares_of_whole_pieces():
    chosen = split_pieces({number: [f"piece {number}"] for number in range(80)})
    assert [list(chosen.values()).count(split) for split in SPLITS] == [60, 10, 10]
    fewer = split_pieces({number: [f"piece {number}"] for number in range(79)})
    assert sum(chosen[number] != fewer[number] for number in fewer) <= 3
    assert set(split_pieces({number: [str(number)] for number in range(5)}).values()) == {"train"}
    six = list(split_pieces({number: [str(number)] for number in range(6)}).values())
    assert [six.count(split) for split in SPLITS] == [3, 1, 2]


@pytest.mark.long
def test_the_real_books_are_read_measured_and_moved():
    read_dance_tunes.cache_clear()
    rows = rows_of(read())
    counts = {style: sum(row.origin.label == style for part in rows.values() for row in part) for style in STYLES}
    assert counts == {"reel": 692, "jig": 505, "hornpipe": 455, "slip_jig": 97, "strathspey": 47}
    scores = [metre_score(row.turns[1].content) for part in rows.values() for row in part]
    assert sum(score.right for score in scores) / sum(score.counted for score in scores) > 0.98
    moved = 0
    for row in rows["test"]:
        before = parse_tune(row.turns[1].content)
        key = Key.parse(before.first("K"))
        for fifths in keys_near(key) if key else ():
            after = transpose(before, fifths)
            moved += after is not None
            assert after is None or metre_score(after) == metre_score(before)
    assert moved > 1000
