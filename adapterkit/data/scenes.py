"""Which scenes of a play are held out: one answer for every character in it, so that no scene is split between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence

from adapterkit.data.splits import SPLITS


def assign_scenes(speakers: Mapping[int, Sequence[Hashable]]) -> dict[int, str]:
    """Give each scene of one play a split: about one sixth of each character's rows is test, one sixth validation.

    Coordinate descent in integers: the one scene whose move brings the shares closest is moved, until no move helps.
    Nothing is drawn, so the answer is the same everywhere.

    Args:
        speakers: for each scene the speaker of each row in it.
    """
    rows = {scene: Counter(spoken) for scene, spoken in speakers.items()}
    totals = sum(rows.values(), Counter[Hashable]())
    splits = dict.fromkeys(rows, "train")
    distance = _distance(rows, totals, splits)
    while moves := [(scene, split) for scene in rows for split in SPLITS if split != splits[scene]]:
        distances = [_distance(rows, totals, {**splits, scene: split}) for scene, split in moves]
        best = min(distances)
        if best >= distance:
            break
        distance = best
        scene, split = moves[distances.index(best)]
        splits[scene] = split
    return splits


def _distance(rows: Mapping[int, Counter[Hashable]], totals: Counter[Hashable], splits: Mapping[int, str]) -> int:
    """How far all shares are from one sixth, in speeches times six; a split that misses a character counts double."""
    distance = 0
    for split in ("validation", "test"):
        held = _count(rows[scene] for scene, given in splits.items() if given == split)
        for speaker, total in totals.items():
            distance += abs(6 * held[speaker] - total) if held[speaker] else 2 * total
    return distance


def _count(rows: Iterable[Counter[Hashable]]) -> Counter[Hashable]:
    counted: Counter[Hashable] = Counter()
    for row in rows:
        counted.update(row)
    return counted
