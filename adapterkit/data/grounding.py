"""Questions that are answered from given passages, with the passage cited: how they are asked, answered and checked."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapterkit.data.conversation import Turn

REFUSAL = "The passages do not say."
KEYS = ("answer", "citations")
AS_TEXT = (
    f"Answer from the passages alone and cite the one you use in brackets. If none answers, write: {REFUSAL}",
    f"Use only these passages, and put the cited passage in brackets. When none of them answers, write: {REFUSAL}",
    f"Read the passages, answer the question, and cite in brackets where it stands. If it does not, write: {REFUSAL}",
)
_JSON_KEYS = 'Write JSON with the keys "answer" and "citations"'
AS_JSON = (
    f"Answer from the passages alone. {_JSON_KEYS}. If none answers, the answer is null.",
    f"Use only these passages. {_JSON_KEYS}; when none of them answers, the answer is null.",
    f"Read the passages and answer the question. {_JSON_KEYS}, and null for the answer if it does not stand there.",
)

_CITED = re.compile(r"\[([^\[\]\n]{1,64})\]")


@dataclass(frozen=True)
class Passage:
    """A piece of text with the id by which an answer cites it."""

    id: str
    text: str


@dataclass(frozen=True)
class GroundedCheck:
    """What an answer did, compared with the one that was wanted.

    Attributes:
        cites_gold: it cites exactly the passages that were to be cited; for a refusal: none.
        refusal_right: it refuses where the passage was missing, and nowhere else.
        form_right: it is JSON with the two keys where JSON was asked for, and text where not.
        same_answer: it says the same, but for case and spacing, or refuses likewise.
    """

    cites_gold: bool
    refusal_right: bool
    form_right: bool
    same_answer: bool

    @property
    def right(self) -> bool:
        """Whether form, citations and refusal are all right; the words of an answer may differ."""
        return self.cites_gold and self.refusal_right and self.form_right


def ask(instruction: str, passages: Sequence[Passage], question: str) -> str:
    """The user's turn: what to do, the passages with their ids, the question."""
    listed = "\n".join(f"[{each.id}] {each.text}" for each in passages)
    return f"{instruction}\n\n{listed}\n\nQuestion: {question}"


def answer(said: Any, citations: Sequence[str], *, as_json: bool) -> str:
    """The assistant's turn.

    Args:
        said: the answer; null for a refusal; anything but text needs JSON.
        citations: the ids of the passages that it stands in.
        as_json: whether to write JSON instead of text.
    """
    if as_json:
        return json.dumps({"answer": said, "citations": list(citations)}, ensure_ascii=False)
    if said is None:
        return REFUSAL
    return " ".join([str(said), *(f"[{each}]" for each in citations)])


def grounded_turns(
    instruction: str, passages: Sequence[Passage], question: str, said: Any, citations: Sequence[str], *, as_json: bool
) -> tuple[Turn, Turn]:
    """Question and answer as turns."""
    return (
        Turn("user", ask(instruction, passages, question)),
        Turn("assistant", answer(said, citations, as_json=as_json)),
    )


def check_grounded(said: str, wanted: str) -> GroundedCheck:
    """Compare an answer with the one that a grounded row teaches.

    Args:
        said: what a model wrote.
        wanted: the assistant's turn of the row; whether JSON was asked for, which passages were to be cited and whether
            it had to be refused are read from it.
    """
    gold, given = _read(wanted), _read(said)
    return GroundedCheck(
        cites_gold=set(given.citations) == set(gold.citations),
        refusal_right=given.refused == gold.refused,
        form_right=given.is_json == gold.is_json,
        same_answer=(given.refused and gold.refused) or _plain(given.answer) == _plain(gold.answer),
    )


@dataclass(frozen=True)
class _Answer:
    answer: Any
    citations: tuple[str, ...]
    is_json: bool

    @property
    def refused(self) -> bool:
        return self.answer is None or _plain(self.answer) == _plain(REFUSAL)


def _read(text: str) -> _Answer:
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError):
        plain = None
    if isinstance(plain, dict) and set(plain) == set(KEYS) and _are_texts(plain["citations"]):
        return _Answer(plain["answer"], tuple(plain["citations"]), is_json=True)
    return _Answer(_CITED.sub("", text).strip(), tuple(_CITED.findall(text)), is_json=False)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _plain(value: Any) -> Any:
    return " ".join(value.casefold().split()).rstrip(".") if isinstance(value, str) else value
