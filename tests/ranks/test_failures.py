"""What goes wrong on one rank ends all of them at once, with one reason and one exit code, and publishes nothing."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.ranks.conftest import Launches
from tests.workflows.tiny import Workshop

# Far below what torch waits for a rank that does not come.
PROMPT = 60


@pytest.mark.long
@pytest.mark.parametrize(
    ("rank", "kind", "code", "said"),
    [
        (1, "nan_loss", 1, "The loss became nan at step 3"),
        (0, "nan_loss", 1, "The loss became nan at step 3"),
        (1, "moved_base", 1, "Base weights changed during training"),
        (0, "moved_base", 1, "Base weights changed during training"),
        (1, "thawed", 1, "requires_grad|trainable"),
        (1, "moved_trainee", 1, "Ranks differ in the weights"),
        (1, "bad_data", 1, "odd.jsonl"),
        (1, "other_data", 1, "Ranks differ in base, data, parents or config"),
        (1, "no_place", 1, "A part of this path is a file"),
        (0, "full_disk", 1, "The checkpoint of step 4 cannot be written"),
    ],
)
def test_an_error_on_one_rank_ends_all(
    shop: Workshop, launches: Launches, rank: int, kind: str, code: int, said: str
) -> None:
    import re

    name = f"failed_{rank}_{kind}"
    config, begun = shop.config(name, batch_size=4, max_steps=6, epochs=9, save_steps=4, test=None), time.monotonic()
    outcome = launches.run(config, 2, (rank, kind))
    assert outcome.codes == [code, code], outcome.err
    assert time.monotonic() - begun < PROMPT
    # Rank 0 says it, and whose it was; no rank prints a traceback.
    told = [line for line in outcome.err[0].splitlines() if line.startswith("error: ")]
    assert len(told) == 1
    assert re.search(said, outcome.err[0])
    if rank and kind not in ("moved_trainee", "other_data"):
        assert told[0].startswith(f"error: rank {rank} of 2: ")
        assert re.search(f"rank {rank} of 2: .*{said}", outcome.err[rank])
    assert "Traceback" not in "".join(outcome.err)
    assert shop.published(name) == []
    assert not list(Path(config.output_dir).glob("checkpoint-*"))


@pytest.mark.long
def test_a_rank_that_vanishes_ends_the_other(shop: Workshop, launches: Launches) -> None:
    config, begun = shop.config("vanished", batch_size=4, max_steps=9, epochs=9, save_steps=4), time.monotonic()
    outcome = launches.run(config, 2, (1, "killed"))
    assert outcome.codes == [1, -signal.SIGKILL]
    assert time.monotonic() - begun < PROMPT
    assert "Another rank ended without a word" in outcome.err[0]
    assert shop.published("vanished") == []


@pytest.mark.long
def test_what_is_published_stops_all_ranks(shop: Workshop, launches: Launches) -> None:
    for _ in range(2):
        outcome = launches.run(shop.config("once", batch_size=4))
        assert outcome.codes == [0, 0], outcome.err
        assert outcome.out[1] == ""
        assert outcome.err[1] == ""
    assert shop.published("once") == ["1.0.0"]
