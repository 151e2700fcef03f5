"""Rows encoded in several processes are those of one; a process that ends is told of, and none is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from data.conftest import CHATML, DEFAULT_SYSTEM, MARKED

from adapterkit.config.schema import DataConfig
from adapterkit.data import encode_apart, read_splits, token_cache
from adapterkit.data.encode import encode_split
from adapterkit.data.encode_fast import encode_batches
from adapterkit.data.token_rows import TokenBatch
from adapterkit.errors import DataError, UsageError


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Few rows are many."""
    monkeypatch.setattr(encode_apart, "_WORTH_IT", 600)
    monkeypatch.setattr(encode_apart, "_ROWS_AT_ONCE", 64)
    monkeypatch.setattr(token_cache, "_WORTH_KEEPING", 3)
    monkeypatch.setenv("ADAPTERKIT_CACHE", str(tmp_path / "cache"))


def chats(count: int) -> Iterator[dict[str, Any]]:
    """Rows of several orders, the last of which comes late; some look odd, and some are not of the usual form."""
    for number in range(count):
        said = ("hello", " hi there ", "\n\nyou?", "é\U0001f600", "A:hello", "[INST", "x" * 30)[number % 7]
        turns = [{"role": "user", "content": f"Q: {number}"}, {"role": "assistant", "content": said}]
        if number % 5 == 0:
            turns.insert(0, {"role": "system", "content": "be kind"})
        if number > 700 and number % 3 == 0:
            turns += turns[-2:]
        yield {"messages": turns} | ({"id": number} if number % 11 == 0 else {})


def written(folder: Path, count: int, last: str = "") -> Path:
    (folder / "rows").mkdir()
    lines = [json.dumps(row) for row in chats(count)]
    (folder / "rows" / "a.jsonl").write_text("\n\n".join(lines[:500]))
    (folder / "rows" / "b.jsonl").write_text("\ufeff" + "\n".join(lines[500:]) + last)
    return folder / "rows"


def rows_of(path: Path, **settings: Any) -> Any:
    return read_splits(DataConfig(reader="chat", train=str(path), near_duplicates="ignore", **settings), None).train


def kept(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "cache" / "tokens").iterdir()}


def with_workers(count: int, monkeypatch: pytest.MonkeyPatch, run: Callable[[], Any]) -> Any:
    started: list[int] = []
    plain = encode_apart.Workers

    def counted(module: str, workers: int, **rest: Any) -> Any:
        started.append(workers)
        return plain(module, workers, **rest)

    monkeypatch.setattr(encode_apart, "Workers", counted)
    monkeypatch.setenv("ADAPTERKIT_WORKERS", str(count))
    made = run()
    monkeypatch.setattr(encode_apart, "Workers", plain)
    assert started == ([] if count == 1 else [count])
    return made


@pytest.mark.parametrize("template", [CHATML, DEFAULT_SYSTEM])
@pytest.mark.parametrize("settings", [{}, {"system": "be brief", "max_train_rows": 1000}])
def test_the_file_of_tokens_is_the_same(
    template: str, settings: Any, byte_tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_of(written(tmp_path, 1200), **settings)
    files = []
    for count in (1, 3):
        with_workers(count, monkeypatch, lambda: encode_split(rows, byte_tokenizer(template), 999))
        files.append(kept(tmp_path))
        for path in (tmp_path / "cache" / "tokens").iterdir():
            path.unlink()
    assert files[0] == files[1] != {}


def test_a_row_that_is_refused_is_the_first_one(byte_tokenizer: Any, tmp_path: Path, monkeypatch: Any) -> None:
    path = written(tmp_path, 1200)
    lines = (path / "b.jsonl").read_text().splitlines()
    for number in (400, 600):
        lines[number] = json.dumps(
            {"messages": [{"role": "user", "content": "x<|im_end|>y"}, {"role": "assistant", "content": "z"}]}
        )
    (path / "b.jsonl").write_text("\n".join(lines))
    rows, told = rows_of(path), []
    for count in (1, 2):
        with pytest.raises(DataError) as caught:
            with_workers(count, monkeypatch, lambda: encode_split(rows, byte_tokenizer(CHATML), 999))
        told.append(str(caught.value))
        monkeypatch.undo()
        monkeypatch.setattr(encode_apart, "_WORTH_IT", 600)
    assert "b.jsonl, line 401: " in told[0]
    assert told[0] == told[1]


def test_rows_that_have_to_be_rendered_start_no_process(byte_tokenizer: Any, tmp_path: Path, monkeypatch: Any) -> None:
    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("a process was started")

    rows = rows_of(written(tmp_path, 620))
    monkeypatch.setattr(encode_apart, "Workers", never)
    monkeypatch.setenv("ADAPTERKIT_WORKERS", "2")
    assert sum(len(batch.lengths) for batch in encode_batches(rows, byte_tokenizer(MARKED))) == 620


def test_one_process_does_where_no_other_can_be_started(byte_tokenizer: Any, tmp_path: Path, monkeypatch: Any) -> None:
    rows = rows_of(written(tmp_path, 700))
    monkeypatch.setenv("ADAPTERKIT_WORKERS", "2")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "missing"))
    assert sum(len(batch.lengths) for batch in encode_batches(rows, byte_tokenizer(CHATML))) == 700


@pytest.mark.parametrize("wrong", ["0", "two", "-1", "99999", "²"])
def test_a_number_of_processes_that_is_none_is_refused(wrong: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("ADAPTERKIT_WORKERS", wrong)
    with pytest.raises(UsageError, match=f"ADAPTERKIT_WORKERS={wrong} is no number"):
        encode_apart.workers_for(rows_of(written(tmp_path, 700)))


def begun(path: Path, tokenizer: Any) -> tuple[Iterator[TokenBatch], list[int]]:
    """The batches from where other processes make them on, and these."""
    batches = encode_batches(rows_of(path), tokenizer)
    next(batches), next(batches)
    return batches, children(os.getpid())


def children(pid: int) -> list[int]:
    found = [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]
    return [child for child in found if "adapterkit.data.encode_worker" in command_of(child)]


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def until(done: Callable[[], bool]) -> bool:
    end = time.monotonic() + 60
    while not done() and time.monotonic() < end:
        time.sleep(0.05)
    return done()


def test_a_process_that_is_killed_is_an_error(byte_tokenizer: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("ADAPTERKIT_WORKERS", "2")
    batches, workers = begun(written(tmp_path, 1500), byte_tokenizer(CHATML))
    os.kill(workers[0], signal.SIGKILL)
    with pytest.raises(DataError, match=r"was ended by the signal SIGKILL.*ADAPTERKIT_WORKERS=1"):
        list(batches)
    assert len(workers) == 2
    assert until(lambda: not any(map(command_of, workers)))


def test_who_asks_no_further_leaves_no_process(byte_tokenizer: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("ADAPTERKIT_WORKERS", "2")
    batches, workers = begun(written(tmp_path, 1500), byte_tokenizer(CHATML))
    # It is stopped, and would never answer.
    os.kill(workers[0], signal.SIGSTOP)
    batches.close()  # type: ignore[attr-defined]
    assert len(workers) == 2
    assert until(lambda: not any(map(command_of, workers)))


def test_a_file_that_changes_meanwhile_is_found_out(byte_tokenizer: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("ADAPTERKIT_WORKERS", "2")
    path = written(tmp_path, 1500)
    batches, _ = begun(path, byte_tokenizer(CHATML))
    with (path / "b.jsonl").open("ab") as file:
        file.write(b"\n")
    with pytest.raises(DataError, match="changed while it was read"):
        list(batches)


_READS = """
import sys
from adapterkit.data import encode_apart
encode_apart._WORTH_IT, encode_apart._ROWS_AT_ONCE = 600, 64
from pathlib import Path
from transformers import AutoTokenizer
from adapterkit.config.schema import DataConfig
from adapterkit.data import read_splits
from adapterkit.data.encode_fast import encode_batches
rows = read_splits(DataConfig(reader="chat", train=sys.argv[1], near_duplicates="ignore"), None).train
while True:
    for batch in encode_batches(rows, AutoTokenizer.from_pretrained(sys.argv[2])):
        print("batch", flush=True)
"""


@pytest.mark.long
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_reader_that_ends_leaves_no_process(how: signal.Signals, byte_tokenizer: Any, tmp_path: Path) -> None:
    byte_tokenizer(CHATML).save_pretrained(tmp_path / "tokenizer")
    path = written(tmp_path, 1500)
    command = [sys.executable, "-c", _READS, str(path), str(tmp_path / "tokenizer")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "ADAPTERKIT_WORKERS": "2"}
    ) as reader:
        assert reader.stdout is not None
        reader.stdout.readline(), reader.stdout.readline()
        workers = children(reader.pid)
        reader.send_signal(how)
        assert reader.wait(60) != 0
        # The pipe ends when nobody holds it: neither the reader nor a worker.
        _, told = reader.communicate(timeout=60)
    assert until(lambda: not any(map(command_of, workers)))
    # Every worker runs `main`; the reader, which an interrupt may find anywhere, does not.
    assert b", in main\n" not in told
