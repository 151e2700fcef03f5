"""Where the assistant's answers lie in the text that a chat template makes of a conversation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from adapterkit.data.chat import ROLES
from adapterkit.data.control_tokens import end_of_turn, refuse_forged
from adapterkit.data.conversation import Conversation, Origin, Turn
from adapterkit.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_GENERATION = re.compile(r"\{%-?\s*generation\s*-?%\}")
_SENTINEL = "ANSWER-0f2c91"  # stands for what a turn says while its surroundings are looked at
_MARKUP_HAS = 64  # letters: what is longer does not happen to stand in a template's own words
_SPLIT_HINT = "Make rows that end with one answer each, or use a template that marks answers with {% generation %}."

Span = tuple[int, int]


@dataclass(frozen=True)
class Rendered:
    """A conversation as the model reads it; `spans` are the character ranges that it should learn to write."""

    text: str
    spans: tuple[Span, ...]


def render(conversation: Conversation, tokenizer: PreTrainedTokenizerBase) -> Rendered:
    """Apply the chat template and find every answer with its end-of-turn token, and nothing behind that.

    A template with `{% generation %}` says itself what the answers are. For any other, the text up to an answer is what
    the template writes for the turns before it plus the generation prompt, and must be a prefix of the whole; so must
    the text up to the answer's end. What the template writes before an answer beyond the generation prompt is left out,
    and so is what it writes behind the end of the turn: a generation prompt that nobody asked for, a last end-of-text.

    Raises:
        DataError: the tokenizer has no chat template; a turn is neither the system's, the user's nor the assistant's,
            or says a token that orders the conversation; the template refuses the conversation, drops or changes what
            a turn says, or writes an answer differently once later turns follow.
    """
    if tokenizer.chat_template is None:
        raise conversation.origin.error(
            "The tokenizer has no chat template, so a conversation cannot become text. Train on an instruct or chat "
            "base, or set tokenizer.chat_template."
        )
    _check_roles(conversation)
    text = apply_template(conversation.turns, tokenizer, conversation.origin)
    _check_system(conversation, tokenizer, text)
    refuse_forged(conversation, text, tokenizer)
    if _GENERATION.search(tokenizer.get_chat_template()):
        spans = _marked_spans(conversation, tokenizer, text)
    else:
        answers = [index for index, turn in enumerate(conversation.turns) if turn.role == "assistant"]
        spans = tuple(_answer_span(conversation, index, tokenizer, text) for index in answers)
    _check_said(conversation, text)
    return Rendered(text, spans)


def _check_roles(conversation: Conversation) -> None:
    for number, turn in enumerate(conversation.turns, start=1):
        if turn.role not in ROLES:
            raise conversation.origin.error(
                f"Turn {number} has the role {turn.role!r}; the roles are {', '.join(ROLES)}. Write what a tool said "
                "into the user's turn, and its call into the assistant's."
            )


def _check_system(conversation: Conversation, tokenizer: PreTrainedTokenizerBase, text: str) -> None:
    first = conversation.turns[0] if conversation.turns else None
    if first is None or first.role != "system":
        return
    written = first.content.strip() in text
    if written and len(first.content) <= _MARKUP_HAS:
        turns = (Turn("system", _SENTINEL), *conversation.turns[1:])
        written = _SENTINEL in apply_template(turns, tokenizer, conversation.origin)
    if not written:
        raise conversation.origin.error(
            "The chat template drops or changes what turn 1 (system) says once an answer follows. Write it at the "
            "beginning of the first user turn, or use another template."
        )


def _check_said(conversation: Conversation, text: str) -> None:
    """Demand that the text holds what every turn says, in order."""
    place = 0
    for number, turn in enumerate(conversation.turns, start=1):
        content = turn.content.strip()
        place = text.find(content, place)
        if place < 0:
            raise conversation.origin.error(
                f"The chat template drops or changes what turn {number} ({turn.role}) says. It may strip reasoning, or "
                f"know no {turn.role} turn here; take that out of the row, or use another template."
            )
        place += len(content)


def apply_template(
    turns: tuple[Turn, ...], tokenizer: PreTrainedTokenizerBase, origin: Origin, *, prompt: bool = False
) -> str:
    """The text of turns; with `prompt`, up to where the assistant goes on.

    Raises:
        DataError: the template refuses the turns.
    """
    import jinja2

    messages = [{"role": turn.role, "content": turn.content} for turn in turns]
    try:
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=prompt)
    except (jinja2.TemplateError, TypeError, ValueError, KeyError) as error:
        roles = ", ".join(turn.role for turn in turns) or "none"
        raise origin.error(
            f"The chat template refuses the turns ({roles}): {error}. Change the row to the roles and the order that "
            "the base's template knows; a system turn can be written at the beginning of the first user turn."
        ) from error
    return str(text)


def _marked_spans(conversation: Conversation, tokenizer: PreTrainedTokenizerBase, text: str) -> tuple[Span, ...]:
    # Not return_assistant_tokens_mask: when a mark's edge falls on a character that the tokenizer drops, it masks too
    # little (it stops at the first such start) or everything to the end. The spans it starts from are exact.
    from transformers.utils.chat_template_utils import render_jinja_template

    special: dict[str, Any] = dict(tokenizer.special_tokens_map)
    marked: Any = render_jinja_template(
        conversations=[conversation.messages],
        chat_template=tokenizer.get_chat_template(),
        return_assistant_tokens_mask=True,
        **special,
    )
    rendered, spans = marked
    if rendered[0] != text:
        raise conversation.origin.error(
            "The chat template writes another text each time, so its marks cannot be trusted."
        )
    return tuple((start, end) for start, end in spans[0])


def _answer_span(conversation: Conversation, index: int, tokenizer: PreTrainedTokenizerBase, text: str) -> Span:
    turns, origin = conversation.turns, conversation.origin
    if index == 0:
        raise origin.error(
            "The conversation begins with the assistant, and no prompt leads to that turn. Begin with the user."
        )
    before = apply_template(turns[:index], tokenizer, origin, prompt=True)
    upto = text if index == len(turns) - 1 else apply_template(turns[: index + 1], tokenizer, origin)
    if not text.startswith(before):
        raise origin.error(_differs(index, "the prompt before it is not what the whole conversation begins with"))
    later = _differs(index, "it is written differently once later turns follow")
    if not upto.startswith(before):
        raise origin.error(later)
    lead = _lead(conversation, index, tokenizer, len(before))
    start, end = _answer_in(upto[len(before) :], turns[index], lead, origin, tokenizer)
    if not text.startswith(upto[: len(before) + end]):
        raise origin.error(later)
    return len(before) + start, len(before) + end


def _answer_in(written: str, turn: Turn, lead: int, origin: Origin, tokenizer: PreTrainedTokenizerBase) -> Span:
    """Where the answer and its end-of-turn token lie in what follows the generation prompt."""
    # The lead was measured with another answer, and a template may look into the answer: then try without a lead.
    content = turn.content.strip()
    for start in (lead, 0) if written[:lead].strip() else (0,):
        answer = written[start:].lstrip()
        if answer.startswith(content):
            tail = answer[len(content) :]
            return start, len(written) - len(tail) + end_of_turn(tail, tokenizer)
    raise origin.error(
        f"The chat template changes what the assistant says ({content[:40]!r}); it may strip reasoning. Write the row "
        "as the template does, or use another template."
    )


def _lead(conversation: Conversation, index: int, tokenizer: PreTrainedTokenizerBase, before: int) -> int:
    """How many characters the template writes between the generation prompt and the answer."""
    turns = (*conversation.turns[:index], Turn("assistant", _SENTINEL))
    return max(apply_template(turns, tokenizer, conversation.origin).find(_SENTINEL, before) - before, 0)


def _differs(index: int, why: str) -> str:
    return (
        f"Turn {index + 1} (assistant): {why}, because the chat template rewrites turns. Which tokens are the answer "
        f"cannot be known for certain. {_SPLIT_HINT}"
    )


def answer_error(origin: Origin, piece: str) -> DataError:
    """A token that belongs to an answer and to what stands around it."""
    return origin.error(
        f"The token {piece!r} holds text of the answer and of its surroundings, so it can be neither learned nor left "
        "out. The chat template needs a special token or white space between the two."
    )
