"""Hydra saves what it composed, what was typed and what is logged, beside every run: without the secrets in it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
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
