"""Small functions to review, each with the lines that would be bugs in it.

In a text `F` is the function's name, `X` its input, `T` what it gathers, `V` one value, and `K` a number; each stands
alone as a word. A bug names the line it is on, counted from the `def` as 1, and what stands there instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

KINDS = (
    "wrong-start", "wrong-operator", "wrong-comparison", "off-by-one", "early-return", "missing-return", "none-result",
    "mutable-default", "identity",
)  # fmt: skip


@dataclass(frozen=True)
class Function:
    """One function that is right, its bugs, and how to tell.

    Attributes:
        name: of its templates.
        text: its lines.
        bugs: by kind: the line, and the wrong text of it.
        calls: arguments, one list a call; a `"K"` among them is the row's number.
        expected: from the number K to what the calls give.
        seen: whether rows to train on are made from it.
        numbers: what K may be.
    """

    name: str
    text: str
    bugs: dict[str, tuple[int, str]]
    calls: tuple[tuple[Any, ...], ...]
    expected: Callable[[int], list[Any]]
    seen: bool = True
    numbers: tuple[int, ...] = (2, 3, 4, 5, 6, 7, 8, 9)


_MANY = ([3, 8, 1, 6], [9, 2, 7, 5, 4])
_BIG = ([4001, 300, 4001, 512], [777, 4001, 900])
_ONCE = tuple((value,) for value in _MANY)


def _each(function: Callable[[list[int], int], Any]) -> Callable[[int], list[Any]]:
    return lambda k: [function(list(values), k) for values in _MANY]


def _differences(values: list[int], k: int) -> list[int]:
    return [(b - a) * k for a, b in pairwise(values)]


FUNCTIONS = (
    Function(
        "scaled-sum",
        'def F(X):\n    """The sum of X, each times K."""\n    T = 0\n    for V in X:\n        T += V * K\n'
        '    return T',
        {"wrong-start": (3, "    T = 1"), "wrong-operator": (5, "        T -= V * K"), "missing-return": (6, "    T"),
         "early-return": (6, "        return T")},
        _ONCE, _each(lambda xs, k: sum(xs) * k),
    ),
    Function(
        "index-sum",
        'def F(X):\n    """K plus the sum of X."""\n    T = K\n    for i in range(len(X)):\n        T += X[i]\n'
        '    return T',
        {"wrong-start": (3, "    T = -K"), "wrong-operator": (5, "        T -= X[i]"), "missing-return": (6, "    T"),
         "off-by-one": (4, "    for i in range(len(X) - 1):"), "early-return": (6, "        return T")},
        _ONCE, _each(lambda xs, k: k + sum(xs)),
    ),
    Function(
        "above",
        'def F(X):\n    """The values of X above K."""\n    T = []\n    for V in X:\n        if V > K:\n'
        '            T.append(V)\n'
        "    return T",
        {"wrong-start": (3, "    T = [0]"), "wrong-comparison": (5, "        if V < K:"), "missing-return": (7,
         "    T"),
         "none-result": (6, "            T = T.append(V)"), "early-return": (7, "        return T")},
        (([1, 12, 0, 15],), ([11, 1, 13, 14],)), lambda k: [[12, 15], [11, 13, 14]],
    ),
    Function(
        "smallest",
        'def F(X):\n    """The K smallest of X, in order."""\n    T = list(X)\n    T.sort()\n    return T[:K]',
        {"none-result": (4, "    T = T.sort()"), "missing-return": (5, "    T[:K]"), "off-by-one": (5,
         "    return T[1:K]")},
        _ONCE, _each(lambda xs, k: sorted(xs)[:k]),
    ),
    Function(
        "gather",
        'def F(V, T=None):\n    """Adds V, times K, to T."""\n    T = T or []\n    T.append(V * K)\n    return T',
        {"mutable-default": (1, "def F(V, T=[]):"), "none-result": (4, "    T = T.append(V * K)"),
         "missing-return": (5, "    T")},
        ((2,), (5,), (1, [4])), lambda k: [[2 * k], [5 * k], [4, k]],
    ),
    Function(
        "enter",
        'def F(V, T=None):\n    """Enters V in T under K."""\n    T = T or {}\n'
        '    T.setdefault("K", []).append(V)\n    return T',
        {"mutable-default": (1, "def F(V, T={}):"), "missing-return": (5, "    T"),
         "none-result": (4, '    T = T.setdefault("K", []).append(V)')},
        ((2,), (5,)), lambda k: [{str(k): [2]}, {str(k): [5]}],
    ),
    Function(
        "extend",
        'def F(X, T=None):\n    """T with all of X behind it."""\n    T = T or [K]\n    T.extend(X)\n    return T',
        {"mutable-default": (1, "def F(X, T=[K]):"), "none-result": (4, "    T = T.extend(X)"),
         "missing-return": (5, "    T")},
        _ONCE, lambda k: [[k, *values] for values in _MANY], seen=False,
    ),
    Function(
        "product",
        'def F(X):\n    """K times the product of X."""\n    T = K\n    for V in X:\n        T *= V\n    return T',
        {"wrong-start": (3, "    T = 0"), "wrong-operator": (5, "        T += V"), "missing-return": (6, "    T"),
         "early-return": (6, "        return T")},
        _ONCE, lambda k: [144 * k, 2520 * k],
    ),
    Function(
        "count",
        'def F(X, goal):\n    """How often goal is in X, times K."""\n    T = 0\n    for V in X:\n'
        '        if V == goal:\n'
        "            T += K\n    return T",
        {"wrong-start": (3, "    T = 1"), "wrong-operator": (6, "            T -= K"), "missing-return": (7, "    T"),
         "identity": (5, "        if V is goal:"), "wrong-comparison": (5, "        if V != goal:"),
         "early-return": (7, "        return T")},
        tuple((values, 4001) for values in _BIG), lambda k: [2 * k, k],
    ),
    Function(
        "without",
        'def F(X, goal):\n    """X without goal, K in its place."""\n    T = []\n    for V in X:\n'
        "        T.append(K if V == goal else V)\n    return T",
        {"wrong-start": (3, "    T = [0]"), "identity": (5, "        T.append(K if V is goal else V)"),
         "wrong-comparison": (5, "        T.append(K if V != goal else V)"), "missing-return": (6, "    T"),
         "none-result": (5, "        T = T.append(K if V == goal else V)"), "early-return": (6, "        return T")},
        tuple((values, 4001) for values in _BIG), lambda k: [[k, 300, k, 512], [777, k, 900]],
    ),
    Function(
        "holds",
        'def F(X, goal):\n    """K if goal is in X, else 0."""\n    for V in X:\n        if V == goal:\n'
        '            return K\n'
        "    return 0",
        {"identity": (4, "        if V is goal:"), "wrong-comparison": (4, "        if V != goal:"),
         "missing-return": (5, "            K"), "early-return": (6, "        return 0")},
        (([300, 4001], 4001), ([900], 4001)), lambda k: [k, 0], seen=False,
    ),
    Function(
        "largest",
        'def F(X):\n    """K times the largest of X."""\n    T = X[0]\n    for V in X:\n        if V > T:\n'
        '            T = V\n'
        "    return T * K",
        {"wrong-comparison": (5, "        if V < T:"), "missing-return": (7, "    T * K"),
         "wrong-operator": (7, "    return T - K"), "early-return": (7, "        return T * K")},
        (([3, 8, 1, 6],), ([2, 9, 7],)), lambda k: [8 * k, 9 * k],
    ),
    Function(
        "tally",
        'def F(X):\n    """How often each is in X, times K."""\n    T = {}\n    for V in X:\n'
        '        T[V] = T.get(V, 0) + K\n'
        "    return T",
        {"wrong-start": (5, "        T[V] = T.get(V, 1) + K"), "wrong-operator": (5, "        T[V] = T.get(V, 0) - K"),
         "missing-return": (6, "    T"), "early-return": (6, "        return T")},
        ((["a", "b", "a"],), (["c", "d"],)), lambda k: [{"a": 2 * k, "b": k}, {"c": k, "d": k}],
    ),
    Function(
        "steps",
        'def F(X):\n    """K times each difference in X."""\n    T = []\n    for i in range(len(X) - 1):\n'
        "        T.append((X[i + 1] - X[i]) * K)\n    return T",
        {"off-by-one": (4, "    for i in range(len(X)):"), "wrong-operator": (5,
         "        T.append((X[i + 1] + X[i]) * K)"),
         "none-result": (5, "        T = T.append((X[i + 1] - X[i]) * K)"), "missing-return": (6, "    T"),
         "wrong-start": (3, "    T = [0]"), "early-return": (6, "        return T")},
        _ONCE, _each(_differences),
    ),
    Function(
        "upto",
        'def F(n):\n    """K plus the sum of 1 to n."""\n    T = K\n    for i in range(1, n + 1):\n'
        '        T += i\n    return T',
        {"off-by-one": (4, "    for i in range(1, n):"), "wrong-operator": (5, "        T -= i"),
         "wrong-start": (3, "    T = 0"), "missing-return": (6, "    T"), "early-return": (6, "        return T")},
        ((4,), (6,)), lambda k: [10 + k, 21 + k], seen=False,
    ),
    Function(
        "reversed",
        'def F(X):\n    """X from behind, each plus K."""\n    T = []\n    for V in X:\n'
        '        T.insert(0, V + K)\n    return T',
        {"none-result": (5, "        T = T.insert(0, V + K)"), "wrong-operator": (5, "        T.insert(0, V - K)"),
         "wrong-start": (3, "    T = [K]"), "missing-return": (6, "    T"), "early-return": (6, "        return T")},
        _ONCE, _each(lambda xs, k: [x + k for x in xs[::-1]]),
    ),
    Function(
        "while-sum",
        'def F(X):\n    """The sum of X and K."""\n    i, T = 0, K\n    while i < len(X):\n        T += X[i]\n'
        '        i += 1\n'
        "    return T",
        {"off-by-one": (4, "    while i <= len(X):"), "wrong-operator": (5, "        T -= X[i]"),
         "wrong-start": (3, "    i, T = 1, K"), "missing-return": (7, "    T"), "early-return": (7,
          "        return T")},
        _ONCE, _each(lambda xs, k: k + sum(xs)),
    ),
    Function(
        "below",
        'def F(X):\n    """How many of X are below K."""\n    T = 0\n    for V in X:\n        if V < K:\n'
        '            T += 1\n'
        "    return T",
        {"wrong-start": (3, "    T = 1"), "wrong-comparison": (5, "        if V > K:"),
         "wrong-operator": (6, "            T -= 1"), "missing-return": (7, "    T"),
         "early-return": (7, "        return T")},
        (([1, 12, 0, 15, 1],), ([11, 1, 13, 14],)), lambda k: [3, 1],
    ),
)  # fmt: skip
