"""What is freed goes back to the system, and oneDNN keeps no more than a bounded number of compiled products."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from adapterkit.base.heap import PRIMITIVES, bound_primitives, peak_memory, release_freed, resident_memory
from adapterkit.training.freed import ReleaseFreed

VARIABLE = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"


def hole(megabytes: int = 256) -> bytes:
    """Fill the heap with small blocks and free all but the last, which keeps glibc from giving them back itself."""
    blocks = [b"x" * 64_000 for _ in range(megabytes * 1_000_000 // 64_000)]
    return blocks[-1]


def held() -> int:
    """Bytes that this process holds; a test of it needs a system that says so."""
    found = resident_memory()
    assert found is not None
    return found


def test_freed_memory_goes_back() -> None:
    kept = hole()
    before = held()
    release_freed()
    assert held() < before - 100_000_000
    assert len(kept) == 64_000


def test_it_goes_back_once_a_training_holds_more_than_at_the_peak_of_its_first_step() -> None:
    callback, step = ReleaseFreed(), SimpleNamespace(global_step=1)
    callback.on_step_end(None, step, None)
    peak = peak_memory()
    kept = hole(int((1.1 * peak - held()) / 1e6) + 100)
    grown = held()
    assert grown > 1.05 * peak
    callback.on_step_end(None, step, None)
    assert held() < grown - 50_000_000
    assert len(kept) == 64_000


def test_compiled_products_are_bounded_unless_the_user_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "7")
    bound_primitives()
    assert os.environ[VARIABLE] == "7"
    monkeypatch.delenv(VARIABLE)
    bound_primitives()
    assert os.environ[VARIABLE] == str(PRIMITIVES)
