"""Names, refs, versions and paths that must be refused. Where a row is a text, the text itself says what it tries."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

from adapterkit.manifest import CARD_FILE, WEIGHTS_FILE

BAD_NAMES: tuple[str, ...] = (
    # Out of the registry.
    *("..", ".", "...", "../up", "..\\up", "a/../../b", "a/..", "/etc/passwd", "//host/share", "a/b", "a//b", "./a"),
    *("~", "~root", "$HOME", "${HOME}", "%TEMP%", "`id`", "$(id)", "a;id", "a|id", "a&id", "a>b", "a*", "a?", "[a]"),
    *("C:", "C:\\a", "c:a", "\\\\host\\a", "file:///etc/passwd", "http://h/a", "hf://a", "a:b"),
    *("%2e%2e", "%2e%2e%2f", "..%2f", "%2f", "%00", "a%20b", "..%c0%af", "%252e%252e", "&#46;&#46;", "\\x2e\\x2e"),
    # Hidden, staged, doubled dots and edges.
    *(".hidden", ".staging-1-ab", ".git", "a..b", "a.", ".a", "_a", "a_", "-a", "a-", "-", "--", "--registry", "_"),
    # White space and control characters.
    *("", " ", " a", "a ", "a b", "a\tb", "a\nb", "a\n", "\na", "a\r", "a\r\n", "a\x00", "\x00", "a\x00b", "a\x1b[2J"),
    *("a\x7f", "a\x85", "a\xa0b", "a\u2028b", "a\u3000b", "a\v", "a\f"),
    # Letters that only look right, or cannot be seen, or turn the text around.
    *(
        "UPPER",
        "Unified",
        "unif\u0131ed",
        "un\u0456fied",
        "\u00fcnified",
        "\uff55nified",
        "unified\u200b",
        "\u200bunified",
    ),
    *(
        "uni\u00adfied",
        "uni\u202efied",
        "\ufeffunified",
        "unified\u0301",
        "\ufb01ne",
        "a\u2024b",
        "a\u2025b",
        "a\uff0fb",
        "a\u2215b",
        "a\u2044b",
    ),
    *(
        "a\uff20b",
        "v1.\u0660",
        "a\u00b2",
        "\u03b1\u03b2\u03b3",
        "\u540d\u524d",
        "\U0001f642",
        "\ud800",
        "a\udcffb",
        "a\U000e0001",
    ),
    # Devices of Windows, with and without an ending.
    *("con", "prn", "aux", "nul", "com1", "com9", "lpt1", "lpt9", "nul.txt", "con.v2", "aux.r4", "com1.tar.gz"),
    # Length.
    *("a" * 129, "a" * 256, "a" * 5000, "a" * 1_000_000, "a." * 64 + "a" * 2, "../" * 1000),
)

# Refs: the name is fine, what follows is not.
BAD_REFS: tuple[str, ...] = (
    *("a@", "a@@", "a@@1.0.0", "a@1", "a@1.0", "a@1.0.0.0", "a@01.0.0", "a@1.00.0", "a@1.0.0-rc1", "a@1.0.0+b"),
    *("a@1.0.0 ", "a@ 1.0.0", "a@1.0.0\n", "a@1.0.0\x00", "a@1.0.0/..", "a@../1.0.0", "a@/1.0.0", "a@..", "a@."),
    *(
        "a@-1.0.0",
        "a@+1.0.0",
        "a@1_0.0.0",
        "a@1e3.0.0",
        "a@0x1.0.0",
        "a@1.0.\u0660",
        "a@1.0.1\u0663",
        "a@1.\u0662.0",
        "a@\uff11.0.0",
    ),
    *("a@\u00b2", "a@1.0.\u00b2", "a@1.0.9999999999", "a@" + "9" * 5000 + ".0.0", "a@*", "a@latest/", "a@Production"),
    *(
        "a@prod uction",
        "a@prod\nuction",
        "a@produc\u200btion",
        "a@\uff41",
        "a@.staging-1",
        "a@" + "a" * 65,
        "a@a@1.0.0",
    ),
    *("a@%2e%2e", "a@\ud800", "@1.0.0", "@", "@@"),
)

# Where a path may stand; most of these are paths because of a slash. `{canary}` is a file that must never appear.
BAD_PATHS: tuple[str, ...] = (
    *("/", "//", "/etc", "/etc/passwd", "/dev/null", "/dev/zero", "/dev/full", "/dev/tty", "/dev/stdin", "/proc/self"),
    *("/proc/self/mem", "/proc/self/fd/0", "./", "../", "../../..", "/..", "..", ".", "a/b/c", "/nobody/here"),
    *(
        "a/\x00",
        "/\x00",
        "a\x00/b",
        "/" + "a" * 300,
        "/" + "a/" * 3000,
        "/a\n/b",
        "/\ud800",
        "/\udcff",
        "~/a",
        "~root/x",
    ),
    *("file:///etc/passwd", "http://127.0.0.1:1/a", "//host/share", "$(touch {canary})/a", "`touch {canary}`/a"),
    *("/;touch {canary}", "|touch {canary}/", "/etc/passwd%00.json", "..%2f..%2fetc/x", "..\\..\\etc/passwd"),
)


def _socket(path: Path) -> None:
    # Bound by a short relative name: a socket's path may have only 108 bytes.
    where = os.open(".", os.O_RDONLY)
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path.name)
    finally:
        os.fchdir(where)
        os.close(where)


def link_in_place(file: str, target: str) -> Callable[[Path], None]:
    def put(artifact: Path) -> None:
        (artifact / file).unlink()
        (artifact / file).symlink_to(target)

    return put


def _moved_and_linked(artifact: Path) -> None:
    (artifact / WEIGHTS_FILE).rename(artifact.parent / "elsewhere")
    (artifact / WEIGHTS_FILE).symlink_to(artifact.parent / "elsewhere")


def pipe_in_place(file: str) -> Callable[[Path], None]:
    def put(artifact: Path) -> None:
        (artifact / file).unlink()
        os.mkfifo(artifact / file)

    return put


def folder_in_place(file: str) -> Callable[[Path], None]:
    def put(artifact: Path) -> None:
        (artifact / file).unlink()
        (artifact / file).mkdir()

    return put


def _sparse(file: str, size: int) -> Callable[[Path], None]:
    return lambda artifact: os.truncate(artifact / file, size)


def _stray(name: str) -> Callable[[Path], None]:
    def put(artifact: Path) -> None:
        (artifact / name).write_bytes(b"x")

    return put


# What may be planted in an artifact's folder.
INTRUDERS: dict[str, Callable[[Path], None]] = {
    "a link to a device": link_in_place(CARD_FILE, "/dev/zero"),
    "a link to a secret": link_in_place(CARD_FILE, "/etc/passwd"),
    "a link to itself": link_in_place(CARD_FILE, CARD_FILE),
    "a link to nothing": link_in_place(CARD_FILE, "nowhere"),
    "a link to a folder": link_in_place(CARD_FILE, "/"),
    "a link out of the folder": _moved_and_linked,
    "a pipe nobody writes to": pipe_in_place(CARD_FILE),
    "a pipe beside the files": lambda artifact: os.mkfifo(artifact / "pipe"),
    "a socket": lambda artifact: _socket(artifact / "s"),
    "a folder in place of a file": folder_in_place(CARD_FILE),
    "an empty folder": lambda artifact: (artifact / "checkpoint-1").mkdir(),
    "a huge sparse card": _sparse(CARD_FILE, 1 << 40),
    "a huge sparse weights file": _sparse(WEIGHTS_FILE, 1 << 42),
    "a huge sparse config": _sparse("adapter_config.json", 1 << 40),
    "a huge sparse table": _sparse("checksums.json", 1 << 40),
    **{
        f"a stray {name!r}": _stray(name)
        for name in (
            *("adapter_model.bin", "pytorch_model.bin", "optimizer.pt", "scheduler.pth", "x.pkl", "x.pickle", "x.ckpt"),
            *("modeling_evil.py", "setup.py", "__init__.py", "sitecustomize.py", "x.so", "x.sh", "config.json"),
            *("tokenizer.json", "chat_template.jinja", ".env", ".gitattributes", "checksums.json.sig.bak", "README.MD"),
            *(
                "adapter_model.safetensors ",
                "adapter_model.safetensors\n",
                "\u0430dapter_model.safetensors",
                "-rf",
                "a\\b",
            ),
            *("x.joblib", "x.npy", "x.npz", "x.gguf", "x.h5", "x.msgpack", "model.safetensors.index.json"),
        )
    },
}

# Names that a forged checksums.json may list.
BAD_TABLE_NAMES: tuple[str, ...] = (
    *("../../../etc/passwd", "/etc/passwd", "/dev/zero", "a/b", "..", ".", "", "README.md\x00", "\x00", "readme.md"),
    *("README.md/", "./README.md", "checksums.json", "checksums.json.sig", "model.sig", "adapter_model.bin", "\ud800"),
    *("a" * 100_000, "\u202e", "~/x", "C:\\x", "pipe"),
)
