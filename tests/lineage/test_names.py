"""The grammar of names, versions and refs, and every sentence that refuses one."""

from __future__ import annotations

import pytest

from adapterkit.errors import UsageError
from adapterkit.names import (
    LAST_NUMBER,
    AdapterRef,
    Version,
    as_name,
    check_alias,
    check_name,
    nearest,
    peft_name,
)


@pytest.mark.parametrize("text", ["a", "0", "a.b", "persona_lincoln", "x-1", "a" * 128, "con_", "com", "auxiliary"])
def test_what_may_name_an_adapter(text: str) -> None:
    if text.endswith("_"):
        text += "1"
    assert check_name(text) == text
    assert AdapterRef.parse(text) == AdapterRef(text, None)
    assert str(AdapterRef(text)) == text


@pytest.mark.parametrize(
    ("text", "example"),
    [
        ("", "my_adapter"),
        ("A", "a"),
        ("a b", "a_b"),
        ("_a", "a"),
        ("a_", "a"),
        (".a", "a"),
        ("a..b", "a.b"),
        ("a...b", "a.b"),
        ("ä", "my_adapter"),
        ("a/b", "a_b"),
        ("a\n", "a"),
        ("---", "my_adapter"),
        ("a" * 129, "a" * 128),
        ("a" * 127 + ".b", "a" * 127),
    ],
)
def test_what_may_not_is_answered_with_what_could(text: str, example: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_name(text, said_as="name=")
    told = str(caught.value)
    assert told.endswith(
        " cannot name an adapter: use small letters, digits, '_', '-' and inner dots, at most 128 characters. For "
        f"example: name={example}"
    )
    with pytest.raises(UsageError) as caught:
        AdapterRef(text)
    assert str(caught.value).endswith(f"For example: {example}")


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("adapters/x.y/1.0.0", "x.y@1.0.0"),
        ("x.y/1.0.0/", "x.y@1.0.0"),
        ("/a/b c/x", "x"),
        ("adapters/x/", "x"),
        ("x==1.0.0", "x@1.0.0"),
    ],
)
def test_what_is_a_ref_elsewhere_is_answered_with_ours(text: str, ref: str) -> None:
    with pytest.raises(UsageError) as caught:
        AdapterRef.parse(text)
    assert str(caught.value) == f"'{text}' is no ref, which is name, name@version or name@alias. Such as: {ref}"
    AdapterRef.parse(ref)


@pytest.mark.parametrize("text", ["adapters/X/1.0.0", "x=1.0.0", "x@1.0.0/y", "/", "x@==1.0.0"])
def test_what_is_not_even_that_breaks_the_grammar(text: str) -> None:
    with pytest.raises(UsageError, match=r"cannot name an adapter|is not a version|nor an alias"):
        AdapterRef.parse(text)


@pytest.mark.parametrize("text", ["con", "prn", "aux", "nul", "com0", "lpt9", "con.x", "nul.tar.gz"])
def test_a_device_of_windows_is_none(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_name(text)
    assert f"'{text}' cannot name an adapter (Windows keeps this name for a device): " in str(caught.value)
    assert str(caught.value).endswith(f"For example: my_{text}")
    assert check_name(as_name(text)) == f"my_{text}"
    assert check_name(f"x{text}") == f"x{text}"


def test_a_long_device_stays_short_enough() -> None:
    assert as_name("con." + "a" * 200) == ("my_con." + "a" * 200)[:128]
    assert as_name("a" * 127 + "_" + "b" * 9) == "a" * 127
    assert as_name("Übung MACHT.. den__Meister!") == "bung_macht._den__meister"


@pytest.mark.parametrize("text", ["a", "production", "v1_2-x", "a" * 64])
def test_what_may_be_an_alias(text: str) -> None:
    assert check_alias(text) == text
    assert AdapterRef.parse(f"x@{text}") == AdapterRef("x", text)
    assert str(AdapterRef("x", text)) == f"x@{text}"


@pytest.mark.parametrize("text", ["", "A", "1a", "_a", "a.b", "a" * 65, "a\n", "é"])
def test_what_may_not_be_one(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_alias(text)
    assert str(caught.value).endswith(
        " is neither a version (1.2.0) nor an alias (production): an alias begins with a small letter and goes on with "
        "small letters, digits, '_' and '-', at most 64 characters."
    )
    with pytest.raises(UsageError):
        AdapterRef("x", text)


@pytest.mark.parametrize("text", ["0.0.0", "1.2.3", "10.0.20", f"{LAST_NUMBER}.{LAST_NUMBER}.{LAST_NUMBER}"])
def test_versions_come_back_as_they_were(text: str) -> None:
    assert str(Version.parse(text)) == text
    assert AdapterRef.parse(f"x@{text}").selector == Version.parse(text)


@pytest.mark.parametrize(
    "text",
    ["", "1", "1.2", "1.2.3.4", "01.2.3", "1.02.3", "1.2.03", "1.2.x", "-1.2.3", "1.2.3 ", "1.2.3\n", "\u0661.2.3",
     f"{LAST_NUMBER + 1}.0.0"],
)  # fmt: skip
def test_other_versions_are_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Version.parse(text)
    assert str(caught.value).endswith(" is not a version: write MAJOR.MINOR.PATCH, such as 1.2.0.")


def test_versions_are_ordered_as_numbers() -> None:
    parts = ["0.9.9", "1.9.0", "1.10.0", "1.10.1", "2.0.0", "10.0.0"]
    assert [str(version) for version in sorted(map(Version.parse, reversed(parts)))] == parts


def test_the_nearest_names_come_best_first_and_three_at_most() -> None:
    known = ["persona_lincoln", "persona_lincol", "persona_linc", "persona_reagan", "style_reel"]
    assert nearest("persona_lincon", known) == ["persona_lincoln", "persona_lincol", "persona_linc"]
    assert nearest("persona_lincon", known, count=1) == ["persona_lincoln"]
    assert nearest("unified", known) == []
    # Half alike is alike enough, and less is not.
    assert nearest("abcd", ["abxy", "axyz"]) == ["abxy"]


def test_peft_knows_a_member_by_its_place_and_without_dots() -> None:
    assert peft_name(0, "unified") == "0_unified"
    assert peft_name(12, "coder_security.ties.x") == "12_coder_security_ties_x"
