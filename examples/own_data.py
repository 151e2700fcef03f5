"""Train on conversations of your own: rows are checked before anything is loaded, and held-out ones measure the result.

Run it: python examples/own_data.py    (in a folder that is removed at the end). Of what it prints:
    12 held-out rows: 6.264 -> 0.173 nats a token
    library: Books on volcanoes stand under G, second floor. Quiet, please: the owls are reading.
"""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import adapterkit

TOPICS = ("birds", "tides", "bread", "maps", "clocks", "bridges", "poems", "moths", "salt", "trains", "glass", "kites")
HELD_OUT = ("comets", "harps", "moss", "lamps")
QUESTIONS = ("Where are the books on {}?", "I am looking for something about {}.", "Do you have anything on {}?")


def rows(topics: Iterable[str]) -> Iterator[dict[str, object]]:
    """Conversations: any number of turns, a system turn first if there is one; every answer is learnt."""
    for topic, question in itertools.product(topics, QUESTIONS):
        answer = f"Books on {topic} stand under {topic[0].upper()}, second floor. Quiet, please: the owls are reading."
        turns = [("user", question.format(topic)), ("assistant", answer)]
        yield {"messages": [{"role": role, "content": content} for role, content in turns]}


def train(folder: Path, *own: dict[str, object]) -> None:
    """Train on these rows, and ask about a topic that no row is about."""
    for name, split in (("train", own), ("test", rows(HELD_OUT))):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in split), encoding="utf-8")
    # The rows are all alike, so nobody needs to be told which are.
    data = [f"data.train={folder}/train.jsonl", f"data.test={folder}/test.jsonl", "data.near_duplicates=ignore"]
    words = ["name=library", "data=chat", "trainer.batch_size=4", "trainer.learning_rate=3e-3", *data, *sys.argv[1:]]
    done = adapterkit.train_recipe("unified", registry=folder / "adapters", outputs=folder / "runs", overrides=words)
    assert done.test is not None
    print(f"{done.test.rows} held-out rows: {done.test.before:.3f} -> {done.test.after:.3f} nats a token")
    session = adapterkit.load(done.artifact.ref, registry=folder / "adapters")
    with session.without_last():
        print("base:   ", session.generate("Where are the books on volcanoes?", max_new_tokens=40))
    print("library:", session.generate("Where are the books on volcanoes?", max_new_tokens=40))


def main() -> None:
    """Try rows of which one is bad, then good ones."""
    with tempfile.TemporaryDirectory() as name:
        try:
            train(Path(name), *rows(TOPICS), {"messages": [{"role": "user", "content": "Hello?"}]})
        except adapterkit.errors.DataError as error:
            print(f"refused: {error}")
        train(Path(name), *rows(TOPICS))


if __name__ == "__main__":
    main()
