"""What launchers say to a process, what adapterkit makes of it, and the configs that it brings for accelerate."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from adapterkit.errors import TrainingError, UsageError
from adapterkit.ranks import Launch, Ranks, launched
from adapterkit.ranks.launch import take_over
from adapterkit.training.checkpoint import require_ranks, rng_file
from adapterkit.training.shares import ShareOfBatches

CONFIGS = Path(__file__).parents[2] / "adapterkit" / "ranks" / "configs"
TOLD = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
DEEPSPEED = {"ACCELERATE_USE_DEEPSPEED": "true"}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"RANK": "0", "WORLD_SIZE": "1"}, None),
        (TOLD, Launch(1, 2, 1, cpu=False)),
        (TOLD | {"ACCELERATE_USE_CPU": "True"}, Launch(1, 2, 1, cpu=True)),
        (TOLD | {"ACCELERATE_USE_FSDP": "true"}, Launch(1, 2, 1, cpu=False, sharded=True)),
        (TOLD | DEEPSPEED | {"ACCELERATE_DEEPSPEED_ZERO_STAGE": "2"}, Launch(1, 2, 1, cpu=False)),
        (TOLD | DEEPSPEED | {"ACCELERATE_DEEPSPEED_ZERO_STAGE": "3"}, Launch(1, 2, 1, cpu=False, sharded=True)),
    ],
)
def test_what_a_launcher_says(environment: dict[str, str], expected: Launch | None) -> None:
    assert launched(environment) == expected


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"ACCELERATE_MIXED_PRECISION": "no", "MASTER_ADDR": "127.0.0.1"}, "--config_file"),
        ({"OMPI_COMM_WORLD_SIZE": "2"}, "MPI numbers them in another way"),
        (TOLD | {"ACCELERATE_USE_MEGATRON_LM": "true"}, "Megatron-LM cuts layers"),
        (TOLD | {"ACCELERATE_USE_PARALLELISM_CONFIG": "true"}, "Tensor or context parallelism cuts layers"),
    ],
)
def test_what_is_not_done_is_refused(environment: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        launched(environment)


@pytest.mark.parametrize(
    ("launch", "shown", "device"),
    [
        (Launch(1, 2, 1, cpu=False), None, "1"),
        (Launch(3, 4, 1, cpu=False), "4,6", "6"),
        (Launch(1, 2, 1, cpu=True), "4,6", ""),
    ],
)
def test_a_rank_shows_libraries_one_process_and_one_device(launch: Launch, shown: str | None, device: str) -> None:
    environment = TOLD | DEEPSPEED | {"FSDP_VERSION": "2"}
    if shown is not None:
        environment["CUDA_VISIBLE_DEVICES"] = shown
    take_over(launch, environment)
    assert environment == {"MASTER_ADDR": "127.0.0.1", "CUDA_VISIBLE_DEVICES": device}


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("rows", [1, 3, 8, 11])
def test_ranks_take_the_rows_of_every_batch_once(rows: int, count: int) -> None:
    order = list(reversed(range(rows)))
    shares = [list(ShareOfBatches(order, 4, Ranks(number, count))) for number in range(count)]
    assert {len(share) for share in shares} == {len(ShareOfBatches(order, 4, Ranks(0, count)))}
    batches = [order[start : start + 4] for start in range(0, rows, 4)]
    dealt = [sorted(itertools.chain(*parts)) for parts in zip(*shares, strict=True)]
    assert dealt == [sorted(batch) for batch in batches]
    sizes = [[len(part) for part in parts] for parts in zip(*shares, strict=True)]
    assert all(max(each) - min(each) <= 1 for each in sizes)


def test_a_checkpoint_of_other_ranks_is_refused(tmp_path: Path) -> None:
    (tmp_path / rng_file(None)).touch()
    require_ranks(tmp_path, 1)
    with pytest.raises(TrainingError, match="taken by 1 rank, and 2 would go on"):
        require_ranks(tmp_path, 2)


@pytest.mark.parametrize("config", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_accelerate_takes_the_configs(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What accelerate's own parser makes of each is what the ranks are told."""
    from accelerate.commands.config.config_args import load_config_from_file
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser
    from accelerate.utils.launch import prepare_deepspeed_cmd_env, prepare_multi_gpu_env

    for name in [name for name in os.environ if name.startswith(("ACCELERATE_", "FSDP_"))]:
        monkeypatch.delenv(name)
    asked = load_config_from_file(str(config))
    arguments = launch_command_parser().parse_args(["--config_file", str(config), "-m", "adapterkit.train"])
    arguments, _, _ = _validate_launch_command(arguments)
    if arguments.use_deepspeed:
        arguments.deepspeed_fields_from_accelerate_config = ",".join(asked.deepspeed_config)
        _, told = prepare_deepspeed_cmd_env(arguments)
    else:
        told = prepare_multi_gpu_env(arguments)
    told = {name: str(value) for name, value in told.items()} | TOLD
    cut = config.stem in ("fsdp_qlora", "deepspeed_zero3")
    assert launched(told) == Launch(1, 2, 1, cpu=False, sharded=cut)
    assert told["ACCELERATE_MIXED_PRECISION"] == "no"


def test_the_configs_can_be_found() -> None:
    words = [sys.executable, "-m", "adapterkit.ranks"]
    listed = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    assert listed == ["ddp_cpu", "ddp_gpu", "deepspeed_zero2", "deepspeed_zero3", "fsdp_qlora"]
    found = subprocess.run([*words, "ddp_cpu"], capture_output=True, text=True, check=True).stdout.strip()
    assert Path(found) == CONFIGS / "ddp_cpu.yaml"
    assert subprocess.run([*words, "other"], capture_output=True, check=False).returncode == 2
