"""Style packs of invented texts, for tests."""

from __future__ import annotations

from pathlib import Path

from adapterkit.config.schema import DataConfig
from adapterkit.data import Splits, read_splits


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def texts(word: str, count: int = 16) -> str:
    return "".join(f'{{"text": "{word} says line {number}."}}\n' for number in range(count))


def pop_pack(folder: Path) -> Path:
    """A parent with pieces of its own, and two children."""
    return write(
        folder / "pop",
        {
            "pack.yaml": "name: pop\nparent: null\ntags: [bright]\n",
            "README.md": "About this pack.",
            ".DS_Store": "junk",
            "shared.jsonl": texts("pop", 8),
            "dance_pop/pack.yaml": "name: dance_pop\nparent: pop\ntags:\n  - fast\n",
            "dance_pop/a.jsonl": texts("dance"),
            "synth_pop/pack.yaml": "name: synth_pop\n",
            "synth_pop/b.jsonl": texts("synth"),
            "synth_pop/long.txt": "One line.\nAnd another.\n\n" + "word " * 150 + "\n\n" + "more " * 100 + "\n",
        },
    )


def read(folder: Path, style: str | None = None, **config: object) -> Splits:
    given = {"validation": "auto", "test": "auto"} | config
    return read_splits(DataConfig(reader="style_pack", train=str(folder), style=style, **given), None)
