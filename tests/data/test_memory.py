"""Files larger than the memory they may take, each read in a process of its own that the kernel holds to a limit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

_TEN_GB = 10 * 10**9
_READ = """
import resource, sys
resource.setrlimit(resource.RLIMIT_DATA, (512 << 20, 512 << 20))
from adapterkit.config.schema import DataConfig
from adapterkit.data import read_splits
from adapterkit.errors import DataError
try:
    settings = {"near_duplicates": "ignore", **eval(sys.argv[2])}
    splits = read_splits(DataConfig(reader="completion", train=sys.argv[1], **settings), None)
    print("rows", len(splits.train), splits.digest, sum(len(row.turns[1].content) for row in splits.train))
except DataError as error:
    print("error", error.line, error)
# Of this program alone: ru_maxrss begins with that of the process that started it.
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
GOOD = b'{"prompt": "hi", "completion": "hello"}'


def read(path: Path, **settings: object) -> tuple[str, int]:
    """What came of it, and the most memory that it took, in MB."""
    done = subprocess.run(
        [sys.executable, "-c", _READ, str(path), repr(settings)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    *told, peak = done.stdout.splitlines()
    return "\n".join(told), int(peak) >> 10


def sparse(path: Path) -> Path:
    with path.open("wb") as file:
        file.write(GOOD + b"\n")
        file.seek(_TEN_GB)
        file.write(b"\n" + GOOD)
    return path


@pytest.mark.long
def test_a_line_of_ten_gigabytes_is_an_error_in_constant_memory(tmp_path: Path) -> None:
    told, peak = read(sparse(tmp_path / "x.jsonl"))
    assert told.startswith("error 2 ")
    assert "longer than 16 MiB" in told
    assert peak < 512


@pytest.mark.long
def test_a_line_of_ten_gigabytes_is_set_aside_in_constant_memory(tmp_path: Path) -> None:
    told, peak = read(sparse(tmp_path / "x.jsonl"), on_bad_row="quarantine", max_bad_ratio=0.5)
    assert told.startswith("rows 2 ")
    assert peak < 512
    (record,) = map(json.loads, (tmp_path / "x.jsonl.quarantine-0001").read_text().splitlines())
    assert (record["line"], record["bytes"]) == (2, _TEN_GB - len(GOOD) - 1)
    assert os.stat(tmp_path / "x.jsonl.quarantine-0001").st_size < 1000


@pytest.mark.long
def test_ten_times_the_rows_take_hardly_more_memory(tmp_path: Path) -> None:
    peaks = []
    for count in (20_000, 200_000):
        with (tmp_path / "x.jsonl").open("w") as file:
            for number in range(count):
                file.write(json.dumps({"prompt": f"ask {number}", "completion": "word " * 100 + str(number)}) + "\n")
        told, peak = read(tmp_path / "x.jsonl")
        assert told.startswith(f"rows {count} ")
        peaks.append(peak)
    # 110 MB of text more, and of memory an index of some 30 bytes a row.
    assert peaks[1] - peaks[0] < 30


_ENCODE = """
import sys
from transformers import AutoTokenizer
from adapterkit.config.schema import DataConfig
from adapterkit.workflows.rows import read_rows
tokenizer = AutoTokenizer.from_pretrained(sys.argv[2])
config = DataConfig(reader="completion", train=sys.argv[1], near_duplicates="ignore", max_length=4096)
read_rows(config, None, tokenizer)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.long
def test_ten_times_the_token_rows_take_hardly_more_memory(tmp_path: Path, tiny_base_dir: Path) -> None:
    peaks = []
    for count in (4_000, 40_000):
        with (tmp_path / "x.jsonl").open("w") as file:
            for number in range(count):
                file.write(json.dumps({"prompt": f"ask {number}", "completion": "word " * 300 + str(number)}) + "\n")
        done = subprocess.run(
            [sys.executable, "-c", _ENCODE, str(tmp_path / "x.jsonl"), str(tiny_base_dir)],
            env={**os.environ, "ADAPTERKIT_CACHE": str(tmp_path / "cache"), "ADAPTERKIT_WORKERS": "1"},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        peaks.append(int(done.stdout) >> 10)
    (_, large) = sorted(path.stat().st_size for path in (tmp_path / "cache" / "tokens").iterdir())
    assert large > 50 << 20
    assert peaks[1] - peaks[0] < 25
