"""What a chat template writes around turns, found once for each order of roles where it provably looks at roles alone.

The template is run with turns whose content is opaque: it can be joined to text, trimmed and written, and whatever else
is done to it - a comparison, a test, a filter, a loop - raises. A run that comes through has written the same for every
content, so that the text of a row is its contents between fixed pieces. Where the run does not come through, nothing
is known, and the caller renders every row as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Slot:
    """Where the content of a turn goes; `trimmed` leaves out white space around it."""

    turn: int
    trimmed: bool

    def filled(self, contents: Sequence[str]) -> str:
        """The text that stands there."""
        return contents[self.turn].strip() if self.trimmed else contents[self.turn]


Piece = str | Slot


class LooksInsideError(Exception):
    """The template does more with a content than write it."""


class Opaque:
    """Text that a template may join, trim and write, and not look at."""

    __slots__ = ("_pieces",)

    def __init__(self, *pieces: Piece) -> None:
        """Text made of these pieces."""
        self._pieces = pieces

    def __add__(self, other: Any) -> Opaque:
        """Text with more behind it."""
        return Opaque(*self._pieces, *_pieces_of(other))

    def __radd__(self, other: Any) -> Opaque:
        """Text with more before it."""
        return Opaque(*_pieces_of(other), *self._pieces)

    def strip(self) -> Opaque:
        """The text without white space around it, where it is one content alone."""
        if len(self._pieces) != 1 or not isinstance(self._pieces[0], Slot):
            raise LooksInsideError
        return Opaque(Slot(self._pieces[0].turn, trimmed=True))

    def __bool__(self) -> bool:
        """True: no content is blank."""
        return True

    def _refuse(self, *_: Any) -> Any:
        raise LooksInsideError

    __str__ = __repr__ = __format__ = __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __hash__ = __len__ = __iter__ = __contains__ = __getitem__ = __mod__ = __rmod__ = __mul__ = __rmul__ = _refuse


class GlueFinder:
    """Runs the chat template of a tokenizer with opaque turns."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Compile the template as transformers does, with guards around what could look inside."""
        self._written: list[Opaque] = []
        self._special = dict(tokenizer.special_tokens_map)
        self._template = self._compiled(tokenizer)

    def pieces(self, roles: Sequence[str], *, prompt: bool = False) -> tuple[Piece, ...] | None:
        """What is written for turns of these roles; null where the template looks inside, or refuses them.

        Args:
            roles: of the turns, in order.
            prompt: with the generation prompt behind them.
        """
        if self._template is None:
            return None
        self._written.clear()
        messages = [{"role": role, "content": Opaque(Slot(turn, False))} for turn, role in enumerate(roles)]
        try:
            text = self._template.render(
                messages=messages, tools=None, documents=None, add_generation_prompt=prompt, **self._special
            )
            return self._parted(text)
        # Any exception at all: then the whole row is rendered, and an error of the template is told from there.
        except Exception:
            return None

    def _compiled(self, tokenizer: PreTrainedTokenizerBase) -> Any:
        from transformers.utils.chat_template_utils import _compile_jinja_template

        try:
            template = str(tokenizer.get_chat_template())
            # The date is another one tomorrow.
            if _MARK in template or "strftime" in template:
                return None
            environment = _compile_jinja_template(template).environment.overlay(finalize=self._put)
            if not _writes_at_once(environment.parse(template)):
                return None
            filters = {name: each for name, each in environment.filters.items() if name != "random"}
            environment.filters = {name: _guarded(name, each) for name, each in filters.items()}
            environment.tests = {name: _tested(name, each) for name, each in environment.tests.items()}
            return environment.from_string(template)
        # A template that does not compile, or is one of several, is told of where it is first applied.
        except Exception:
            return None

    def _put(self, value: Any) -> Any:
        """What the template writes for a value: for an opaque one a mark, with its number."""
        if not isinstance(value, Opaque):
            return value
        self._written.append(value)
        return f"{_MARK}{len(self._written) - 1}{_MARK}"

    def _parted(self, text: str) -> tuple[Piece, ...]:
        parts = text.split(_MARK)
        pieces: list[Piece] = []
        for position, part in enumerate(parts):
            for piece in _pieces_of(self._written[int(part)]) if position % 2 else (part,):
                if isinstance(piece, str) and pieces and isinstance(pieces[-1], str):
                    pieces[-1] += piece
                elif piece != "":
                    pieces.append(piece)
        return tuple(pieces)


# A character that no text holds: outside of what Unicode gives a meaning.
_MARK = "\U0010ffff"
_SAFE_TESTS = {"defined": True, "undefined": False, "none": False, "string": True, "mapping": False, "number": False}


def _pieces_of(value: Any) -> tuple[Piece, ...]:
    if isinstance(value, Opaque):
        return value._pieces
    if type(value) is str:
        return (value,)
    raise LooksInsideError


def _writes_at_once(tree: Any) -> bool:
    """Whether nothing that is written can be caught and looked at: no blocks that capture, no `~`."""
    from jinja2 import nodes

    return not any(
        tree.find(kind)
        for kind in (nodes.AssignBlock, nodes.CallBlock, nodes.FilterBlock, nodes.Macro, nodes.Concat, nodes.Include)
    )


def _guarded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that refuses opaque text, but for `trim`."""

    def guarded(*arguments: Any, **settings: Any) -> Any:
        opaque = [each for each in (*arguments, *settings.values()) if isinstance(each, Opaque)]
        if not opaque:
            return function(*arguments, **settings)
        if name == "trim" and len(arguments) == 1 and not settings:
            return opaque[0].strip()
        raise LooksInsideError

    return _like(guarded, function)


def _tested(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A test that knows of opaque text that it is text, and no more."""

    def tested(*arguments: Any) -> Any:
        if not any(isinstance(each, Opaque) for each in arguments):
            return function(*arguments)
        if len(arguments) == 1 and name in _SAFE_TESTS:
            return _SAFE_TESTS[name]
        raise LooksInsideError

    return _like(tested, function)


def _like(wrapped: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """Let jinja pass the same context to a wrapped function as to the function."""
    if (passed := getattr(function, "jinja_pass_arg", None)) is not None:
        wrapped.jinja_pass_arg = passed  # type: ignore[attr-defined]
    return wrapped
