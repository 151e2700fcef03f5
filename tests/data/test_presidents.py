"""The presidents: who is meant, whole addresses held out for everybody, and nothing in a row that names the speaker."""

import re

import pytest

from adapterkit.config.schema import DataConfig
from adapterkit.data import corpora, list_personas, read_splits
from adapterkit.data.addresses import clean_paragraphs
from adapterkit.data.leaks import spoken_words
from adapterkit.errors import DataError, MissingExtraError, UnknownNameError, UsageError

SPLITS = ("train", "validation", "test")


def read(persona=None, **config):
    return read_splits(DataConfig(reader="presidents", **{"validation": "auto", "test": "auto"} | config), persona)


def documents(rows):
    return {row.origin.path.rsplit("/", 1)[1].removesuffix(".txt") for row in rows}


@pytest.mark.parametrize(
    ("persona", "validation", "test"),
    [
        ("lincoln", {"1863-Lincoln-1"}, {"1864-Lincoln-1"}),
        ("Abraham Lincoln", {"1863-Lincoln-1"}, {"1864-Lincoln-1"}),
        ("OBAMA", {"2015-Obama-1"}, {"2016-Obama-1"}),
        ("carter", {"1980-Carter-1", "1980-Carter-2"}, {"1981-Carter-1"}),
        ("roosevelt-32", {"1944-Roosevelt-1"}, {"1945-Roosevelt-1", "1945-Roosevelt-2"}),
        ("van buren", {"1839-VanBuren-1"}, {"1840-VanBuren-1"}),
        ("trump", {"2019-Trump-1"}, {"2020-Trump-1"}),
        ("harding", set(), {"1922-Harding-1"}),
    ],
)
def test_the_last_addresses_are_held_out(persona, validation, test):
    splits = read(persona)
    assert documents(splits.validation) == validation
    assert documents(splits.test) == test
    assert splits.train
    assert not documents(splits.train) & (validation | test)


def test_both_texts_of_a_last_address_are_test():
    assert documents(read("nixon").test) == {"1974-Nixon-1", "1974-Nixon-2"}


def test_the_unified_rows_hold_nobodys_held_out_address():
    unified = read()
    trained = documents(unified.train)
    said = {spoken_words(row) for row in unified.train}
    for persona in list_personas(DataConfig(reader="presidents")):
        own = read(persona)
        held_out = [*own.validation, *own.test]
        assert not trained & documents(held_out)
        assert not said & {spoken_words(row) for row in held_out}
        assert {row.turns for row in own.train} <= {row.turns for row in unified.train}
    assert "1849-Taylor-1" in documents(unified.test)


def test_splits_that_are_null_are_empty_and_stay_out_of_training():
    splits = read("lincoln", validation=None, test=None)
    assert (splits.validation, splits.test) == ((), ())
    assert splits.train == read("lincoln").train


@pytest.mark.parametrize("name", ["cleveland", "Grover Cleveland"])
def test_a_name_that_two_bear_is_refused_with_both(name):
    with pytest.raises(UnknownNameError, match="cleveland-22, cleveland-24") as caught:
        read(name)
    assert caught.value.nearest == ("cleveland-22", "cleveland-24")


def test_a_misspelt_name_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match=r"Unknown persona 'lincon'\. Did you mean lincoln"):
        read("lincon")


@pytest.mark.parametrize("name", ["taylor", "trump-2"])
def test_a_single_address_leaves_nothing_to_train_on(name):
    with pytest.raises(DataError, match=f"{name}.* gave a single address"):
        read(name)
    assert name not in list_personas(DataConfig(reader="presidents"))


def test_every_row_is_one_fixed_prompt_and_one_paragraph():
    rows = read(system="Speak.").train
    assert {row.turns[:2] for row in rows} == {rows[0].turns[:2]}
    assert [turn.role for turn in rows[0].turns] == ["system", "user", "assistant"]
    prompt = rows[0].turns[1].content
    assert prompt == "Write a paragraph of an annual address to Congress."
    assert not re.search(r"\d", prompt)
    assert all(15 <= len(row.turns[2].content.split()) <= 200 for row in rows)
    assert read("lincoln", prompt="Go on.").train[0].turns[0].content == "Go on."


def test_no_stage_note_is_left():
    said = [row.turns[1].content for row in read().train]
    assert not [
        text for text in said if re.search(r"[\[(](?:laughter|applause|inaudible)|^Audience member", text, re.I)
    ]


def test_paragraphs_are_cleaned_and_placed():
    speech = " ".join(f"word{number}" for number in "abcdefghijklmnopqrst")
    text = f"Short.\n\nThe President. {speech} [Applause] and [on; White House correction] on, (Laughter) yes.\n\n \n"
    text += f"Audience members. {speech}\n\n[At this point, the President paused.] {speech}\n\n" + "1,234 " * 30
    assert list(clean_paragraphs(text)) == [(3, f"{speech} and on on, yes."), (8, speech)]


@pytest.mark.parametrize("limit", [1, 84, 500])
def test_a_limit_draws_evenly(limit):
    rows = read(max_train_rows=limit).train
    assert len(rows) == limit
    counts = [sum(row.origin.label == name for row in rows) for name in list_personas(DataConfig(reader="presidents"))]
    assert max(counts) - min(counts) <= 1
    lincoln = read("lincoln", max_train_rows=20).train
    assert documents(lincoln) == documents(read("lincoln").train)
    assert [row.origin.line for row in lincoln[:10]] == sorted(row.origin.line for row in lincoln[:10])


def test_a_corpus_takes_no_file():
    with pytest.raises(UsageError, match=r"data\.train=mine\.jsonl.*data=chat data\.train=FILE"):
        read(train="mine.jsonl")


def test_a_missing_corpus_names_the_command(monkeypatch):
    monkeypatch.setattr(corpora, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'adapterkit\[demo\]'"):
        read("lincoln")
    with pytest.raises(MissingExtraError, match="pip install mine"):
        read("lincoln", install="pip install mine")
