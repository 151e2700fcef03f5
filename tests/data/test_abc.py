"""ABC tunes: what is read and what is refused, bars against their metre, and keys moved note for note."""

from fractions import Fraction

import pytest

from adapterkit.data.abc import AbcError, Bar, Sound, keys_near, metre_score, parse_tune, play, split_tunes, transpose
from adapterkit.data.abc.keys import Key
from adapterkit.data.abc.tokens import melody, tokenize

# All invented for these tests.
JIG = "M:6/8\nL:1/8\nK:G\nD|GAB c2d|edc B2A|GAB cde|dBG G2:|\nd|gfg efg|dcd B^cd|e=fe dcB|AF^D G2:|"
REEL = (
    "M:C|\nL:1/8\nK:Ador\nA,2|:EAAB c2BA|(3GAB dB g>ede|[A2e2] z2 _B=B cB|1A4 A4:|2A4 A2||\n"
    "[K:A]e2|a2 ^ga f/g/a ec|A6|]"
)


def tune(body, key="C", metre="4/4", unit="1/4"):
    return parse_tune(f"M:{metre}\nL:{unit}\nK:{key}\n{body}")


def pitches(each):
    return [event.pitches for event in play(each) if isinstance(event, Sound)]


def lengths(each):
    return [event.length for event in play(each) if isinstance(event, Sound)]


def test_a_file_is_split_into_tunes_with_their_lines():
    text = "% of a book\n\nX:1\nT:One\nM:2/4\nK:D\nd2|\n\n\n"
    text += "X: 2 % second\nT:Two\nR:reel\nM:C|\nL:1/8\n%% odd\nK:Am % minor\n\nab|\n"
    one, two = split_tunes(text)
    assert (one.line, one.body_line, one.body, one.first("T")) == (3, 7, "d2|", "One")
    assert (two.line, two.body_line, two.body, two.first("X"), two.first("K")) == (10, 18, "ab|", "2", "Am")
    assert one.plain == "M:2/4\nL:1/16\nK:D\nd2|"
    assert two.plain == "M:C|\nL:1/8\nK:Am\nab|"


def test_what_a_player_adds_is_no_part_of_the_melody():
    body = 'u(F"4"G) |"^Segno" {a}~A>.B !D.C.!c2  H[ce] |\\\n T(3def y2 z2 :| % end\n\n'
    assert melody(body) == "FG|A>B c2 [ce]|(3def z2:|"
    assert "".join(token.text for token in tokenize(body)) == body
    assert (
        melody("R:reel\nAB|[P:A]c2|\nw: la la\nK:D % sharp\nT:Second\n[M:3/4]d:|") == "AB|c2|\nK:D % sharp\n[M:3/4]d:|"
    )


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("M:6/8\nG:A", 1, "no K:"),
        ("M:6/8\nABc\nK:G\nABc|", 2, "no field"),
        ("M:6/8\nK:G\nABc|\nAB=20|", 4, "nothing that a tune's body may hold"),
        ("M:6/8\nK:GM\nABc|", 1, "no plain key"),
        ("M:6/8\nK:HP\nABc|", 1, "no plain key"),
        ("M:6/8\nL:eighth\nK:G\nABc|", 1, "no unit length"),
        ("M:6/8\nK:G\nABc|\nK:none\nABc|", 4, "no plain key"),
        ("M:6/8\nK:G\nABc|\n>A|", 4, "behind no note"),
    ],
)
def test_what_is_no_tune_is_refused_with_its_line(text, line, what):
    with pytest.raises(AbcError, match=what) as caught:
        play(parse_tune(text))
    assert caught.value.line == line


@pytest.mark.parametrize(("text", "missing"), [("K:G\nABc|", "M:"), ("M:6/8\nK:\nABc|", "K:")])
def test_a_tune_without_metre_or_key_has_no_plain_form(text, missing):
    with pytest.raises(AbcError, match=f"no {missing}"):
        _ = parse_tune(text).plain


@pytest.mark.parametrize(
    ("body", "key", "expected"),
    [
        ("C c c' C, B,,", "C", [60, 72, 84, 48, 47]),
        ("F c B", "D", [66, 73, 71]),
        ("F c B", "Dm", [65, 72, 70]),
        ("B E A d", "Bb", [70, 63, 69, 74]),
        ("F C", "Edor", [66, 61]),
        ("F C", "Amix", [66, 61]),
        # An accidental holds in every octave, to the end of the bar and no further.
        ("^F F f =f F|F", "C", [66, 66, 78, 77, 65, 65]),
        ("_B B ^^c c|c", "G", [70, 70, 74, 74, 72]),
        ("F [K:D] F", "C", [65, 66]),
    ],
)
def test_pitches(body, key, expected):
    assert pitches(tune(body, key)) == [(pitch,) for pitch in expected]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("C C2 C3/2 C/ C/4 C//", [1, 2, Fraction(3, 2), Fraction(1, 2), Fraction(1, 4), Fraction(1, 4)]),
        ("C>D E<F C2>>D2", [Fraction(x, 4) for x in (6, 2, 2, 6, 14, 2)]),
        ("(3CDE F", [Fraction(2, 3)] * 3 + [1]),
        (
            "(2CD E (4CDEF (3:2:2C2D",
            [Fraction(3, 2)] * 2 + [1] + [Fraction(3, 4)] * 4 + [Fraction(4, 3), Fraction(2, 3)],
        ),
        ("(5CDEFG", [Fraction(2, 5)] * 5),
        ("[C2E2]3 z2 {fg}C>{f}D", [6, 2, Fraction(3, 2), Fraction(1, 2)]),
    ],
)
def test_lengths(body, expected):
    assert [4 * length for length in lengths(tune(body))] == expected


def test_five_notes_last_as_three_in_a_compound_metre():
    assert lengths(tune("(5CDEFG", metre="6/8", unit="1/8")) == [Fraction(3, 40)] * 5


@pytest.mark.parametrize(
    ("body", "right", "counted"),
    [
        ("CDEF|CDEF|", 2, 2),
        ("CDEF|CDE|CDEF|", 2, 3),
        ("CDEF|CDEFG|CDEF", 2, 3),
        # An upbeat is made up for by the end of its own part, or by the bar before it.
        ("G|CDEF|CDE:|", 2, 2),
        ("G|CDEF|CDEF:|", 2, 2),
        ("G|CDEF|CD:|", 1, 2),
        ("CDEF|CDE||G|CDEF|CDEF|]", 4, 4),
        ("CDEF|CDE||CDEF|CDEF|]", 3, 4),
        # An ending begins no part: its short bar makes room for the upbeat of the part.
        ("G|CDEF|1 CDE:|2 CDE|]", 3, 3),
        ("G|CDEF|1 CDE:|2 CD|]", 2, 3),
        ("CDEF|1 CDEG:|[2 CDE|]", 2, 3),
        # Lines with nothing between them are one; an upbeat may stand between two parts.
        ("G||\n|:CDEF|CDE:|", 2, 2),
        ("CDEF|CDEF||\nG|:CDEF|CDE:|", 4, 4),
        ("|:CDE:|:CDE:|", 0, 2),
        ("CDEF|[M:3/4]CDE|CDE|\nM:C\nL:1/8\nCDEFGABc|", 4, 4),
        ("", 0, 0),
    ],
)
def test_bars_are_measured(body, right, counted):
    score = metre_score(tune(body))
    assert (score.right, score.counted) == (right, counted)
    assert score.share == (right / counted if counted else 0)


@pytest.mark.parametrize(
    "text", ["", "Once upon a time.", "M:6/8\nL:1/8\nK:G\nthe end?", "K:G\nABc|", "M:none\nK:G\nABc|"]
)
def test_a_text_that_is_no_tune_has_no_right_bar(text):
    assert metre_score(text).share == 0


def test_whole_tunes_are_right_and_a_lost_note_is_seen():
    for text in (JIG, REEL):
        assert metre_score(text).share == 1
        assert metre_score(text.replace("A", "", 1)).share < 1 or "K:A" in text.replace("A", "", 1)
    assert metre_score(JIG.replace("GAB c2d", "GAB c2", 1)).right == metre_score(JIG).right - 1


@pytest.mark.parametrize("text", [JIG, REEL, JIG.replace("K:G", "K:Em"), JIG.replace("K:G", "K:Ebmix")])
def test_a_tune_in_another_key_is_the_same_tune(text):
    before = parse_tune(text)
    choices = keys_near(Key.parse(before.first("K")))
    assert choices
    assert 0 not in choices
    for fifths in choices:
        after = transpose(before, fifths)
        assert after is not None
        (apart,) = {
            b - a
            for one, other in zip(pitches(before), pitches(after), strict=True)
            for a, b in zip(one, other, strict=True)
        }
        assert apart % 12 == 7 * fifths % 12
        assert abs(apart) <= 6
        assert apart
        assert lengths(after) == lengths(before)
        assert [e for e in play(after) if isinstance(e, Bar)] == [e for e in play(before) if isinstance(e, Bar)]
        assert metre_score(after) == metre_score(before)
        assert -3 <= Key.parse(after.first("K")).sharps <= 4
        back = transpose(after, -fifths)
        assert back.body == melody(before.body)
        assert back.first("K") == before.first("K")


@pytest.mark.parametrize(
    ("text", "fifths", "expected"),
    [
        ("M:4/4\nL:1/4\nK:G\nG A ^c =f", 1, "M:4/4\nL:1/4\nK:D\nD E ^G =c"),
        ("M:4/4\nL:1/4\nK:G\nG, B g b'", -1, "M:4/4\nL:1/4\nK:C\nC e c' e''"),
        ("M:4/4\nL:1/4\nK:Am\nA ^G =F _B", -3, "M:4/4\nL:1/4\nK:Cm\nc =B _A _d"),
        ("M:4/4\nL:1/4\nK:C\nC_E[C2G2]|\nK:F\n_B4|", 2, "M:4/4\nL:1/4\nK:D\nD=F[D2A2]|\nK:G\n=c4|"),
    ],
)
def test_keys_are_moved_as_one_writes_them(text, fifths, expected):
    after = transpose(parse_tune(text), fifths)
    assert "".join(f"{letter}:{value}\n" for letter, value in after.fields) + after.body == expected


@pytest.mark.parametrize(
    ("text", "fifths"),
    [
        ("M:4/4\nK:C\n^^F G|", 7),
        ("M:4/4\nK:E\nE|\nK:B\nB|", 3),
        ("M:4/4\nK:HP\nA|", 1),
        ("M:4/4\nK:Dmix=c\nA|", 1),
        ("M:4/4\nK:C\nA|=20|", 1),
    ],
)
def test_what_cannot_be_moved_exactly_is_left_alone(text, fifths):
    assert transpose(parse_tune(text), fifths) is None


def test_keys_round_trip():
    for text, sharps in (
        ("G", 1),
        ("Bb", -2),
        ("F#m", 3),
        ("Ador", 1),
        ("Ebmix", -4),
        ("Bphr", 1),
        ("Flyd", 0),
        ("C#", 7),
    ):
        key = Key.parse(text)
        assert (str(key), key.sharps) == (text, sharps)
    assert Key.parse("A minor") == Key(3, "minor")
    assert Key.parse("G#") is None
    assert Key.parse("none") is None
