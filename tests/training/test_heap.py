"""Memory that a step frees is there for the next one."""

import platform
import resource
import subprocess
import sys

import pytest

_PROGRAM = """
import resource, sys
import torch
from adapterkit.training.heap import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
for _ in range(2):
    torch.ones(16 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    torch.ones(16 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", _PROGRAM, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt(3) is glibc's")
def test_freed_tensors_are_not_faulted_in_again() -> None:
    pages = 4 * (64 << 20) // resource.getpagesize()
    assert faults("keep") < pages / 100 < faults("leave")
