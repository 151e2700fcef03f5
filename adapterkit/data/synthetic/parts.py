"""What coder's programs are made of: ways to keep values, to turn them into others, and to gather them.

In what is asked and in code, `#` is the part's number, `@` what the part works on, `$` the argument's name, and `?` the
condition. The functions beside them give what the code should, without running it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Keep:
    """A condition on a value; `numbers` are what its own number may be, 0 alone where it has none."""

    name: str
    asked: str
    code: str
    give: Callable[[Any, Any], bool]
    numbers: tuple[Any, ...] = (0,)


@dataclass(frozen=True)
class Turn:
    """What is made of each value that is kept."""

    name: str
    asked: str
    code: str
    give: Callable[[Any, Any], Any]
    numbers: tuple[Any, ...] = (0,)


@dataclass(frozen=True)
class Gather:
    """What becomes of them all; `turns` is whether it makes a difference how values were turned."""

    name: str
    asked: str
    code: str
    give: Callable[[list[Any]], Any]
    turns: bool = True


@dataclass(frozen=True, eq=False)
class Family:
    """Parts that go together, names that their argument may have, and suites of inputs, of four lists each."""

    keeps: tuple[Keep, ...]
    turns: tuple[Turn, ...]
    gathers: tuple[Gather, ...]
    arguments: tuple[str, ...]
    suites: tuple[tuple[list[Any], ...], ...]


_LIST = Gather("list", "the list of @ in $", "[@ for x in $ if ?]", list)
_COUNT = Gather("count", "how many @ there are in $", "sum(1 for x in $ if ?)", len, turns=False)
_LETTERS = ("a", "e", "o", "s", "t")

_NUMBERS = Family(
    keeps=(
        Keep("even", "even numbers", "x % 2 == 0", lambda x, _: x % 2 == 0),
        Keep("odd", "odd numbers", "x % 2 == 1", lambda x, _: x % 2 == 1),
        Keep("positive", "positive numbers", "x > 0", lambda x, _: x > 0),
        Keep("negative", "negative numbers", "x < 0", lambda x, _: x < 0),
        Keep("above", "numbers greater than #", "x > #", lambda x, k: x > k, (2, 3, 5, 8)),
        Keep("below", "numbers less than #", "x < #", lambda x, k: x < k, (4, 6, 7, 9)),
        Keep("divisible", "numbers divisible by #", "x % # == 0", lambda x, k: x % k == 0, (3, 4, 5, 7)),
    ),
    turns=(
        Turn("itself", "the @", "x", lambda x, _: x),
        Turn("squares", "the squares of the @", "x * x", lambda x, _: x * x),
        Turn("absolute", "the absolute values of the @", "abs(x)", lambda x, _: abs(x)),
        Turn("plus", "the @, each plus #,", "x + #", lambda x, k: x + k, (2, 4, 6)),
        Turn("times", "the @, each times #,", "x * #", lambda x, k: x * k, (2, 3, 5)),
    ),
    gathers=(
        Gather("sum", "the sum of @ in $", "sum(@ for x in $ if ?)", sum),
        Gather("largest", "the largest of @ in $, or 0", "max((@ for x in $ if ?), default=0)",
               lambda found: max(found, default=0)),
        Gather("smallest", "the smallest of @ in $, or 0", "min((@ for x in $ if ?), default=0)",
               lambda found: min(found, default=0)),
        _LIST,
        _COUNT,
    ),
    arguments=("numbers", "values", "data", "amounts", "scores", "readings"),
    suites=(
        ([4, -3, 7, 12, -10, 5], [9, 8, -6, 15, 2], [-7, 21, 3, 6, -4, 10], []),
        ([14, 6, -9, 35, 1], [-2, 5, 8, -15, 20], [3, 3, 28, -8, 9, 4], [0]),
        ([16, -5, 2, 9, -12, 30], [7, 4, -1, 25], [-14, 8, 11, 6, 5, -3], [10]),
    ),
)  # fmt: skip
_WORDS = Family(
    keeps=(
        Keep("longer", "words longer than #", "len(x) > #", lambda x, k: len(x) > k, (3, 4, 5)),
        Keep("shorter", "words shorter than #", "len(x) < #", lambda x, k: len(x) < k, (4, 5, 6)),
        Keep("starting", 'words that start with "#"', 'x.startswith("#")', lambda x, k: x.startswith(k), _LETTERS),
        Keep("ending", 'words that end with "#"', 'x.endswith("#")', lambda x, k: x.endswith(k), _LETTERS),
        Keep("holding", 'words with the letter "#"', '"#" in x', lambda x, k: k in x, _LETTERS),
    ),
    turns=(
        Turn("itself", "the @", "x", lambda x, _: x),
        Turn("upper", "the @, in upper case,", "x.upper()", lambda x, _: x.upper()),
        Turn("backwards", "the @, each backwards,", "x[::-1]", lambda x, _: x[::-1]),
        Turn("first", "the first letters of the @", "x[0]", lambda x, _: x[0]),
        Turn("beginning", "the first # letters of the @", "x[:#]", lambda x, k: x[:k], (2, 3)),
    ),
    gathers=(
        _LIST,
        Gather("sorted", "the sorted list of @ in $", "sorted(@ for x in $ if ?)", sorted),
        Gather("joined", "one string of @ in $", '"".join(@ for x in $ if ?)', "".join),
        _COUNT,
    ),
    arguments=("words", "names", "terms", "labels", "tags", "titles"),
    suites=(
        (["tree", "stone", "apple", "sea", "one"], ["oats", "east", "table", "as"], ["echo", "toes", "sand"], []),
        (["also", "tea", "onto", "strata"], ["sofa", "area", "toast", "else"], ["ate", "store", "is"], ["a"]),
        (["east", "sonata", "tote", "at"], ["agate", "so", "trees", "oasis"], ["see", "erase", "ants"], ["to"]),
    ),
)  # fmt: skip
FAMILIES = (_NUMBERS, _WORDS)
