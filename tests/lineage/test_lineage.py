"""Bases that are the same and that are not, and chains that cannot be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapterkit.errors import ArtifactError
from adapterkit.lineage import MAX_LINEAGE, BaseIdentity, Lineage, LineageMember
from adapterkit.names import AdapterRef

BASE = BaseIdentity("org/base", "main", "a" * 64, {"kind": "nf4", "double_quant": True}, "t" * 64)


def member(name: str) -> LineageMember:
    return LineageMember(AdapterRef.parse(f"{name}@1.0.0"), "b" * 64)


def test_where_a_base_was_loaded_from_does_not_matter() -> None:
    assert BASE.differs_from(replace(BASE, id="./copy", revision=None)) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"source_digest": "c" * 64, "id": "other"}, ["weights: aaaaaaaaaaaa (org/base) is not cccccccccccc (other)"]),
        ({"quantization": {"kind": "int8"}}, ["quantization.double_quant: True is not None",
                                              "quantization.kind: nf4 is not int8"]),
        ({"tokenizer_digest": "u" * 64, "id": "other"},
         ["tokenizer or chat template: tttttttttttt (org/base) is not uuuuuuuuuuuu (other)"]),
        # Of earlier versions of adapterkit it was not recorded.
        ({"tokenizer_digest": None}, []),
    ],
)  # fmt: skip
def test_what_differs_is_told_line_by_line(changes: dict[str, object], told: list[str]) -> None:
    other = replace(BASE, **changes)  # type: ignore[arg-type]
    assert BASE.differs_from(other) == told
    assert len(other.differs_from(BASE)) == len(told)


@pytest.mark.parametrize("ref", ["unified", "unified@latest"])
def test_a_member_is_an_exact_version(ref: str) -> None:
    with pytest.raises(ArtifactError) as caught:
        LineageMember(AdapterRef.parse(ref), "b" * 64)
    assert str(caught.value) == f"a lineage names exact versions, and '{ref}' does not"


def test_a_chain_is_told_root_first() -> None:
    chain = Lineage(BASE, (member("unified"), member("child"), member("top")))
    assert str(chain) == "org/base <- unified@1.0.0 <- child@1.0.0 <- top@1.0.0"
    assert chain.parents == (member("unified"), member("child"))
    assert str(Lineage(BASE)) == "org/base"
    assert Lineage(BASE).parents == ()


def test_a_chain_is_neither_too_long_nor_a_circle() -> None:
    most = tuple(member(f"m{number}") for number in range(MAX_LINEAGE))
    assert len(Lineage(BASE, most).members) == 16
    with pytest.raises(ArtifactError) as caught:
        Lineage(BASE, (*most, member("one_more")))
    assert str(caught.value) == "the lineage has 17 members, and 16 is the most: build on an earlier one"
    with pytest.raises(ArtifactError) as caught:
        Lineage(BASE, (member("a"), member("b"), member("a")))
    assert str(caught.value) == "the lineage names a member twice: it goes round in a circle"
