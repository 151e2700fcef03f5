"""The merging door: `python -m adapterkit.merge method=ties 'adapters=[coder@1.0.0,security]' 'weights=[0.7,0.3]'`."""

from __future__ import annotations

import sys

import hydra
from omegaconf import DictConfig

from adapterkit.base.quiet import quiet_libraries
from adapterkit.config.compose import typed_merge
from adapterkit.config.locate import config_root
from adapterkit.config.outcome import run_door, told_in_sweeps
from adapterkit.config.saved import redact_saved, sweep_folder, without_idle_folder
from adapterkit.config.search_path import register
from adapterkit.config.sweep_names import with_sweep_names
from adapterkit.workflows.comparison import Comparison

_comparison = Comparison()


@hydra.main(version_base="1.3", config_path=str(config_root() / "conf"), config_name="merge")
def _job(config: DictConfig) -> None:
    quiet_libraries()
    from adapterkit.workflows.merge import merge

    with without_idle_folder(), told_in_sweeps():
        redact_saved()
        _comparison.add(merge(typed_merge(config)).artifact.manifest, sweep_folder())


def main(arguments: list[str] | None = None) -> None:
    """Run one merge, or a sweep with `--multirun`; leaves with exit code 0, 1, 2 or 75."""
    register()
    sys.argv[1:] = with_sweep_names(sys.argv[1:] if arguments is None else arguments)
    run_door(_comparison.told_after(_job), goes_on="nothing is half published; the same command starts over")


if __name__ == "__main__":
    main()
