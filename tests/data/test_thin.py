"""Which rows stay of many: the ones that lists of Python objects, sorted and dealt by hand, come to."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import zip_longest

from adapterkit.data import Conversation, Origin, Turn, thin
from adapterkit.digest import json_digest


def dealt(rows: Sequence[Conversation], indices: list[int], depth: int) -> list[int]:
    groups: dict[str, list[int]] = {}
    for index in indices:
        strata = rows[index].origin.strata
        groups.setdefault(strata[depth] if depth < len(strata) else "", []).append(index)
    if list(groups) == [""]:
        return sorted(indices, key=lambda index: (json_digest(rows[index].messages), index))
    spread = [dealt(rows, groups[name], depth + 1) for name in sorted(groups, key=json_digest)]
    return [index for layer in zip_longest(*spread) for index in layer if index is not None]


def test_the_rows_that_stay_are_those_that_dealing_by_hand_comes_to() -> None:
    draw = random.Random(4)
    strata = [(), ("a",), ("a", "x"), ("a", "y"), ("b", "x"), ("b",), ("c", "x", "deep")]
    for _ in range(30):
        rows = [
            Conversation((Turn("user", str(draw.randrange(9))),), Origin("x", number, strata=draw.choice(strata)))
            for number in range(draw.randint(1, 60))
        ]
        for limit in (1, 2, 7, 31):
            order = dealt(rows, list(range(len(rows))), 0)
            assert list(thin(rows, limit)) == [rows[index] for index in sorted(order[:limit])]
