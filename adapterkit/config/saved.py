"""Hydra saves what it composed, what was typed and what is logged, beside every run: without secrets, or not at all."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from adapterkit.config.redaction import redact, redact_text


def redact_saved() -> None:
    """Take secrets out of the files that Hydra saved for the running job, and from now on out of its log."""
    for handler in logging.getLogger().handlers:
        handler.addFilter(_without_secrets)
    for file in _saved():
        redact_file(file)


@contextmanager
def without_idle_folder() -> Iterator[None]:
    """Take away the folder that Hydra made for the running job, where that left nothing in it: it was refused, or idle.

    A folder with anything in it besides what Hydra wrote there stays, and so do the folders above that others use.
    """
    try:
        yield
    finally:
        job = HydraConfig.get()
        folder, own = Path(job.runtime.output_dir), job.output_subdir
        # Those ranks that follow write nowhere, and run in the current folder.
        if own is not None and {path.name for path in folder.glob("*")} <= {own, f"{job.job.name}.log"}:
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(ValueError, OSError):
                for above in folder.relative_to(Path.cwd()).parents[:-1]:
                    above.rmdir()


def sweep_folder() -> Path | None:
    """Where the running sweep keeps what its jobs have in common; null outside a sweep."""
    job = HydraConfig.get()
    return Path(job.sweep.dir) if job.mode == RunMode.MULTIRUN else None


def redact_file(file: Path) -> None:
    """Take secrets out of one YAML file; one that holds none stays as it is."""
    plain = yaml.safe_load(file.read_text("utf-8"))
    if (redacted := redact(plain)) != plain:
        file.write_text(yaml.safe_dump(redacted, allow_unicode=True, sort_keys=False), encoding="utf-8")


def _without_secrets(record: logging.LogRecord) -> bool:
    record.msg, record.args = redact_text(record.getMessage()), ()
    return True


def _saved() -> Iterator[Path]:
    job = HydraConfig.get()
    if job.output_subdir is not None:
        yield from sorted((Path(job.runtime.output_dir) / job.output_subdir).glob("*.yaml"))
    whole = Path(job.sweep.dir) / "multirun.yaml"
    if job.mode == RunMode.MULTIRUN and whole.is_file():
        yield whole
