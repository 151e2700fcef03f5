"""The run directory: where one training writes everything it finds out."""

from __future__ import annotations

import dataclasses
import json
import logging
import shutil
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import torch

from adapterkit.artifacts.read import Artifact
from adapterkit.base.fingerprint import Fingerprint
from adapterkit.errors import TrainingError, UsageError
from adapterkit.lineage import BaseIdentity
from adapterkit.ranks import here
from adapterkit.stack.adapter_stack import AdapterStack
from adapterkit.stores import alone_in, explained
from adapterkit.training.checkpoint import PREFIX, newest_whole, read_checkpoint
from adapterkit.training.curves import draw_curves
from adapterkit.training.fit import HISTORY_FILE, Fit
from adapterkit.workflows.tested import Tested

_log = logging.getLogger(__name__)

BASELINE_FILE = "baseline_checksums.json"


class RunDirectory:
    """`outputs/<name>/<timestamp>/` of one training; of several ranks only the first writes there."""

    def __init__(self, path: Path, run_key: str) -> None:
        """Create the folder; in a `with`, it is held, and taken away again where nothing came to lie in it.

        Raises:
            UsageError: a finished run lies there, or what another training wrote.
            RegistryError: the disk refuses the folder.
        """
        self.path, self._run_key = path, run_key
        self._writes = here().leads
        if self._final.exists():
            raise UsageError(f"output_dir={path} holds a finished run. Leave output_dir out, or give a new folder.")
        if (other := self._key_of(path)) is not None and other != run_key:
            raise UsageError(
                f"output_dir={path} holds files of another training, which did not end. Leave output_dir out, or give "
                "a new folder."
            )
        with explained(f"Creating the folder of this run, {path},"):
            path.mkdir(parents=True, exist_ok=True)
        self._open = ExitStack()

    def __enter__(self) -> RunDirectory:
        """Hold the folder.

        Raises:
            UsageError: another training writes there at this moment.
        """
        if self._writes:
            try:
                self._open.enter_context(alone_in(self.path))
            except BlockingIOError as error:
                raise UsageError(
                    f"Another training writes to output_dir={self.path} at this moment. Give each a folder of its own; "
                    "without output_dir it has one."
                ) from error
        return self

    def __exit__(self, *_: object) -> None:
        if self._writes:
            # Only an empty folder can be removed so.
            with suppress(OSError):
                self.path.rmdir()
        self._open.close()

    @property
    def adapter(self) -> Path:
        """The raw weights as training left them."""
        return self.path / "adapter"

    @property
    def history(self) -> Path:
        """Every logged metric, one object a line."""
        return self.path / HISTORY_FILE

    @property
    def _final(self) -> Path:
        return self.path / "final_artifact"

    def write_baseline(self, identity: BaseIdentity, before: Fingerprint, after: Fingerprint | None = None) -> None:
        """Record the base's fingerprint: before training, and again with both sides after it.

        Args:
            identity: the base.
            before: its fingerprint before training.
            after: the one after it; null while that is not known.
        """
        record: dict[str, Any] = {
            "run_key": self._run_key,
            "base": dataclasses.asdict(identity),
            "before": {"digest": before.digest, **before.to_json()},
        }
        if after is not None:
            # Equal tables are written once.
            unchanged = after.digest == before.digest
            record["after"] = {"digest": after.digest} if unchanged else {"digest": after.digest, **after.to_json()}
            record["unchanged"] = unchanged
        self._write(BASELINE_FILE, record)

    def write_results(self, name: str, result: Fit, test: Tested) -> None:
        """Write summary, results, test metrics and the curves.

        Args:
            name: the adapter's, for summary and title.
            result: metrics, history and environment; losses in nats a token.
            test: the test split.
        """
        facts = {"name": name, "run_key": self._run_key, "steps": result.steps}
        summary: dict[str, Any] = {**facts, **result.metrics, **test.metrics}
        if test.change is not None:
            self._write("test_metrics.json", test.to_json())
        self._write("training_summary.json", summary)
        self._write(
            "training_results.json",
            {"summary": summary, "history": list(result.history), "environment": dict(result.environment)},
        )
        if self._writes:
            draw_curves(result.history, self.path / "training_curves.png", title=name)

    def write_adapter(self, stack: AdapterStack, *, dtype: torch.dtype) -> None:
        """Write the raw weights, in the dtype that they are stored in.

        Raises:
            StackError: the disk refuses.
        """
        if self._writes:
            stack.save_trainee(self.adapter, dtype=dtype)

    def extra_files(self) -> dict[str, Path]:
        """What goes into the artifact besides the mandatory files."""
        names = ("test_metrics.json", "training_curves.png")
        return {name: self.path / name for name in names if (self.path / name).is_file()}

    def copy_artifact(self, artifact: Artifact) -> None:
        """Copy the published artifact, byte for byte, to `final_artifact/`."""
        if self._writes:
            shutil.copytree(artifact.path, self._final)

    def checkpoint(self, resume: str) -> Path | None:
        """The checkpoint to go on from.

        Args:
            resume: `never`, `auto` (the newest whole checkpoint of the same run key beside this run), or a path.

        Raises:
            TrainingError: the checkpoint is incomplete or damaged, or belongs to another run key.
        """
        if resume == "never":
            if left := self._cut_short(same=True):
                _log.info("%s holds a checkpoint of this very training: resume=auto goes on from it", left[0])
            return None
        if resume == "auto":
            runs = [run for run in self.path.parent.iterdir() if self._key_of(run) == self._run_key]
            newest, refused = newest_whole(runs)
            for why in refused:
                _log.warning("%s", why)
            if newest is not None:
                _log.info("Going on from %s", newest.path)
                return newest.path
            _log.info("No checkpoint of this training to resume")
            if left := self._cut_short(same=False):
                _log.info(
                    "What %s holds is of another: config, data, base or parents differ. To go on there, give the words "
                    "that it was begun with", left[0],
                )  # fmt: skip
            return None
        found = read_checkpoint(Path(resume))
        if found.run_key != self._run_key:
            raise TrainingError(
                f"The checkpoint {found.path} belongs to another training: config, data, base or parents differ."
            )
        return found.path

    def _cut_short(self, *, same: bool) -> list[Path]:
        """Runs beside this one with checkpoints and no end, of this very training or of others; the last first."""
        found: list[Path] = []
        with suppress(OSError):  # It is a hint alone.
            found = sorted(run for run in self.path.parent.iterdir() if any(run.glob(f"{PREFIX}*")))
        keys = {run: self._key_of(run) for run in reversed(found) if not (run / self._final.name).exists()}
        return [run for run, key in keys.items() if key is not None and (key == self._run_key) is same]

    def _key_of(self, run: Path) -> str | None:
        try:
            return str(json.loads((run / BASELINE_FILE).read_text("utf-8"))["run_key"])
        except (OSError, ValueError, KeyError):
            return None

    def _write(self, name: str, value: Mapping[str, Any]) -> None:
        if self._writes:
            (self.path / name).write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
