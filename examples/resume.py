"""Stop a training as a scheduler would, go on from its checkpoint, and come to the very bits of one that ran through.

Run it: python examples/resume.py    (in a folder that is removed at the end). It prints:

    stopped after step 5, saved in runs/stopped/2026-11-29_22-54-37-775504/checkpoint-5
    stopped@1.0.0: 12 steps, weights f4dfa8ebe17766a4
    through@1.0.0: 12 steps, weights f4dfa8ebe17766a4
    the same bits: True
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import adapterkit

SHORT = ["data.max_train_rows=96", "data.validation=null", "data.test=null", "trainer.max_steps=12"]


def train(folder: Path, *words: str) -> adapterkit.Artifact:
    """One training in that folder, with a checkpoint every fourth step."""
    words = (*SHORT, "trainer.save_steps=4", *words, *sys.argv[1:])
    done = adapterkit.train_recipe("unified", registry=folder / "adapters", outputs=folder / "runs", overrides=words)
    return done.artifact


def stop_after_a_checkpoint(folder: Path) -> None:
    """Send SIGTERM to this process once a checkpoint is there; it is renamed into place, so what is there is whole."""
    while not any(folder.glob("runs/*/*/checkpoint-*/checkpoint.json")):
        time.sleep(0.02)
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Interrupt, go on, compare."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        threading.Thread(target=stop_after_a_checkpoint, args=[folder], daemon=True).start()
        try:
            train(folder, "name=stopped")
        except adapterkit.TrainingInterrupted as stopped:  # A KeyboardInterrupt: `except Exception` lets it through.
            print(f"stopped after step {stopped.step}, saved in {stopped.checkpoint.relative_to(folder)}")

        resumed = train(folder, "name=stopped", "resume=auto")
        through = train(folder, "name=through")
        for each in (resumed.manifest, through.manifest):
            print(f"{each.ref}: {each.metrics['steps']:.0f} steps, weights {each.weights_digest[:16]}")
        print("the same bits:", resumed.manifest.weights_digest == through.manifest.weights_digest)


if __name__ == "__main__":
    main()
