"""What a launcher says to each of the processes that it starts: how many they are, and which one this is."""

from __future__ import annotations

import os
import re
from collections.abc import MutableMapping
from dataclasses import dataclass

from adapterkit.errors import UsageError

# What launchers tell each process. accelerate and transformers would each make something of their own of it.
_TOLD = re.compile(
    r"RANK|WORLD_SIZE|LOCAL_RANK|LOCAL_WORLD_SIZE|ACCELERATE_USE_(FSDP|DEEPSPEED)|FSDP_.*|ACCELERATE_DEEPSPEED_.*"
    r"|ACCELERATE_CONFIG_DS_FIELDS|ACCELERATE_GRADIENT_.*"
)
_ZERO_STAGE = "ACCELERATE_DEEPSPEED_ZERO_STAGE"
_REFUSED = {
    "ACCELERATE_USE_MEGATRON_LM": "Megatron-LM",
    "ACCELERATE_USE_PARALLELISM_CONFIG": "Tensor or context parallelism",
}
_MPI = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
_TORCHRUN = "torchrun --nproc-per-node 2 -m adapterkit.train ..."


@dataclass(frozen=True)
class Launch:
    """One process of a launch.

    Attributes:
        number: its rank, from 0; rank 0 writes and speaks.
        count: how many ranks there are.
        local: its rank on its own machine; it names the GPU that it takes.
        cpu: whether the launcher was told to leave GPUs alone.
        sharded: whether the base is cut among the ranks; else each holds a whole one.
    """

    number: int
    count: int
    local: int
    cpu: bool
    sharded: bool = False


def launched(environment: MutableMapping[str, str] = os.environ) -> Launch | None:
    """What the launcher said; null for a process that was started by hand, or is the only one.

    Raises:
        UsageError: it asked for what adapterkit does not do, or started fewer processes than it was told to.
    """
    if environment.get("WORLD_SIZE", "1") == "1" or "RANK" not in environment:
        _require_all_started(environment)
        return None
    _require_known(environment)
    return Launch(
        int(environment["RANK"]),
        int(environment["WORLD_SIZE"]),
        int(environment.get("LOCAL_RANK", "0")),
        _says(environment, "ACCELERATE_USE_CPU"),
        # Gradients and optimizer, which ZeRO-2 cuts as well, are an adapter's here: too small to be worth it.
        _says(environment, "ACCELERATE_USE_FSDP")
        or (_says(environment, "ACCELERATE_USE_DEEPSPEED") and environment.get(_ZERO_STAGE) == "3"),
    )


def take_over(launch: Launch, environment: MutableMapping[str, str] = os.environ) -> None:
    """Let libraries see one process with one device.

    Told of ranks, accelerate would wrap the model, repeat rows so that all ranks have as many, and average the ranks'
    mean losses; shown several GPUs, transformers would copy the model to each.
    """
    for name in [name for name in environment if _TOLD.fullmatch(name)]:
        del environment[name]
    shown = [each for each in environment.get("CUDA_VISIBLE_DEVICES", "").split(",") if each]
    own = shown[launch.local % len(shown)] if shown else str(launch.local)
    environment["CUDA_VISIBLE_DEVICES"] = "" if launch.cpu else own


def _require_all_started(environment: MutableMapping[str, str]) -> None:
    """Refuse one process where several were asked for.

    `accelerate launch --cpu --num_processes 2` (1.15) starts one process, and says nothing.
    """
    by_accelerate = "ACCELERATE_MIXED_PRECISION" in environment and "MASTER_ADDR" in environment
    by_mpi = any(environment.get(name, "1") != "1" for name in _MPI)
    if "RANK" not in environment and (by_accelerate or by_mpi):
        raise UsageError(
            "Several processes were asked for, and this one was not told which of them it is: accelerate launch --cpu "
            "starts a single one, and MPI numbers them in another way. Start them with: accelerate launch "
            f"--config_file ddp_cpu.yaml -m adapterkit.train ..., or {_TORCHRUN}"
        )


def _require_known(environment: MutableMapping[str, str]) -> None:
    for name, asked in _REFUSED.items():
        if _says(environment, name):
            raise UsageError(
                f"{asked} cuts layers or sequences among the ranks, which is not done here: rows are dealt to them, "
                f"and with FSDP the base is cut. Start the ranks without it: {_TORCHRUN}"
            )


def _says(environment: MutableMapping[str, str], name: str) -> bool:
    return environment.get(name, "false").lower() in ("true", "1", "yes")
