"""The training door: `python -m adapterkit.train +recipe=persona_on_unified persona=lincoln`."""

from __future__ import annotations

import sys

import hydra
from omegaconf import DictConfig

from adapterkit.base.quiet import quiet_libraries
from adapterkit.config.compose import asked_of_job, compose_recipe, typed
from adapterkit.config.locate import config_root
from adapterkit.config.outcome import nothing_said, run_door, told_in_sweeps
from adapterkit.config.saved import redact_saved, without_idle_folder
from adapterkit.config.search_path import register
from adapterkit.config.sweep_names import with_sweep_names
from adapterkit.ranks import agreed, on_every_rank
from adapterkit.workflows.usable import usable


@hydra.main(version_base="1.3", config_path=str(config_root() / "conf"), config_name="train")
def _job(config: DictConfig) -> None:
    with without_idle_folder(), told_in_sweeps():
        redact_saved()
        wanted = usable(agreed(typed(config)))
        quiet_libraries()
        from adapterkit.workflows.train import train

        train(wanted, asked=asked_of_job(wanted), compose_parent=compose_recipe)


def main(arguments: list[str] | None = None) -> None:
    """Run one training, or a sweep with `--multirun`; leaves with exit code 0, 1, 2 or 75."""
    register()
    sys.argv[1:] = with_sweep_names(sys.argv[1:] if arguments is None else arguments)
    run_door(on_every_rank(_job) if sys.argv[1:] else nothing_said)


if __name__ == "__main__":
    main()
