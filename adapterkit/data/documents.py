"""Grounded questions about one's own documents: JSONL rows that bring their passages, or name paragraphs beside them.

A row is `{"question": ..., "passages": [...], "answer": ..., "citations": [...]}`. A passage is `{"id": ..., "text":
...}`, or the id of a paragraph of a document that lies beside the file: `guide.md#3` is the third paragraph of
`guide.md`. The answer null, with no citations, is a refusal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from adapterkit.data.conversation import Conversation, Origin
from adapterkit.data.grounding import AS_JSON, AS_TEXT, Passage, grounded_turns
from adapterkit.data.jsonl import read_objects
from adapterkit.data.leaks import spoken_words
from adapterkit.data.splits import Splits
from adapterkit.digest import sha256_file
from adapterkit.errors import DataError, UsageError
from adapterkit.names import nearest
from adapterkit.texts import excerpt

ROWS_FILE = "questions.jsonl"
ENDINGS = (".md", ".txt")
KEYS = ("question", "passages", "answer", "citations", "form")
FORMS = ("text", "json")

_EXAMPLE = '{"question": "...", "passages": [{"id": "p1", "text": "..."}], "answer": "...", "citations": ["p1"]}'
_ID = re.compile(r"[^\[\]\s]{1,64}")


def read_documents(*, train: str | None, validation: str | None, test: str | None, prompt: str | None) -> Splits:
    """Grounded rows from up to three files, or folders with a `questions.jsonl`.

    Args:
        train: the file or folder to train on.
        validation: the one that steers training, or null.
        test: the one for the final test, or null.
        prompt: the instruction of every row; null for the one that says how to cite and to refuse.

    Raises:
        DataError: a file cannot be used; a row lacks a key, cites what is not among its passages, or stands in the
            training split and in a held-out one.
        UsageError: no training file was given, or a file is `auto`.
    """
    files = _files({"train": train, "validation": validation, "test": test})
    origins: dict[str, str] = {}
    rows = {split: tuple(_rows(path, prompt, origins)) for split, path in files.items()}
    held_out = (*rows.get("validation", ()), *rows.get("test", ()))
    _check_leaks(rows["train"], held_out)
    return Splits(rows["train"], rows.get("validation", ()), rows.get("test", ()), str(files["train"]), origins)


def paragraphs(folder: Path) -> dict[str, str]:
    """Every paragraph of a folder's documents by its id: the file's name inside the folder, `#`, its number from 1.

    Paragraphs are what blank lines divide; a Markdown heading belongs to what follows, and a fenced block is one piece.
    Spacing inside a paragraph is not kept.

    Raises:
        DataError: a document is not UTF-8 or cannot be read.
    """
    found = {}
    for name, path in _documents(folder).items():
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            what = f"Not UTF-8: byte 0x{error.object[error.start]:02x} at {error.start + 1}. Save the file as UTF-8."
            raise DataError(what, path=path) from error
        except OSError as error:
            raise DataError(f"The document cannot be read: {error}", path=path) from error
        for number, paragraph in enumerate(_split(text), start=1):
            found[f"{name}#{number}"] = paragraph
    return found


def _documents(folder: Path) -> dict[str, Path]:
    files = (each for each in folder.rglob("*") if each.suffix in ENDINGS and each.is_file())
    return dict(sorted((each.relative_to(folder).as_posix(), each) for each in files))


def _split(text: str) -> Iterator[str]:
    lines: list[str] = []
    fenced = False
    for line in [*text.splitlines(), ""]:
        fenced ^= line.lstrip().startswith("```")
        if line.strip() or fenced:
            lines.append(line)
        elif any(not each.startswith("#") for each in lines):
            yield " ".join(" ".join(lines).split())
            lines = []
    if lines:
        yield " ".join(" ".join(lines).split())


def _files(given: Mapping[str, str | None]) -> dict[str, Path]:
    for split, value in given.items():
        if value == "auto":
            raise UsageError(f"data=documents splits nothing by itself: give data.{split}=FILE, or data.{split}=null.")
    if given["train"] is None:
        raise UsageError(
            f"data=documents needs rows to train on: data=documents data.train=FILE.jsonl, or a folder with {ROWS_FILE}"
        )
    paths = {split: Path(value) for split, value in given.items() if value is not None}
    return {split: path / ROWS_FILE if path.is_dir() else path for split, path in paths.items()}


def _rows(path: Path, prompt: str | None, origins: dict[str, str]) -> Iterator[Conversation]:
    if path.name == ROWS_FILE and not path.exists():
        raise DataError(
            f"The folder holds no {ROWS_FILE}: a document alone asks nothing. Write one row a line: {_EXAMPLE}",
            path=path.parent,
        )
    texts: dict[str, str] | None = None
    for line, row in read_objects(path):
        origin = Origin(str(path), line)
        if texts is None and _names_paragraphs(row):
            texts = paragraphs(path.parent)
            origins |= {f"file:{each}": sha256_file(each) for each in _documents(path.parent).values()}
        yield _conversation(row, origin, texts or {}, prompt)
    origins[f"file:{path}"] = sha256_file(path)


def _names_paragraphs(row: Mapping[str, Any]) -> bool:
    passages = row.get("passages")
    return isinstance(passages, list) and any(isinstance(each, str) for each in passages)


def _conversation(row: Mapping[str, Any], origin: Origin, texts: Mapping[str, str], prompt: str | None) -> Conversation:
    _check_keys(row, origin)
    passages = [_passage(each, origin, texts) for each in row["passages"]]
    ids = [each.id for each in passages]
    if len(set(ids)) < len(ids):
        raise origin.error(f"Two passages have one id: {', '.join(ids)}. A citation must mean one of them.")
    form = row.get("form", "text")
    if form not in FORMS:
        raise origin.error(f"'form' is {excerpt(form)}; it is text or json.")
    as_json = form == "json"
    _check_answer(row["answer"], row["citations"], ids, origin, as_json=as_json)
    instruction = prompt or (AS_JSON if as_json else AS_TEXT)[0]
    turns = grounded_turns(
        instruction, passages, row["question"], row["answer"], row["citations"], as_json=as_json
    )  # fmt: skip
    return Conversation(turns, origin)


def _check_keys(row: Mapping[str, Any], origin: Origin) -> None:
    for key in KEYS[:4]:
        if key not in row:
            raise origin.error(f"There is no '{key}'. A row is {_EXAMPLE}")
    for key in row:
        if key not in KEYS:
            close = nearest(key, KEYS)
            raise origin.error(f"The key {excerpt(key)} is unknown. {f'Did you mean {close[0]}?' if close else ''}")
    question, passages = row["question"], row["passages"]
    if not isinstance(question, str) or not question.strip():
        raise origin.error("'question' must be a text that is not empty.")
    if not isinstance(passages, list) or not passages:
        raise origin.error("'passages' must be a list of at least one passage.")


def _passage(given: Any, origin: Origin, texts: Mapping[str, str]) -> Passage:
    if isinstance(given, str):
        if given not in texts:
            close = nearest(given, texts)
            hint = f"Did you mean {', '.join(close)}?" if close else "No document lies beside this file."
            raise origin.error(f"There is no paragraph {excerpt(given)}. {hint}")
        return Passage(given, texts[given])
    if not isinstance(given, dict) or set(given) != {"id", "text"}:
        raise origin.error('A passage is {"id": "p1", "text": "..."}, or the id of a paragraph such as "guide.md#3".')
    if not isinstance(given["id"], str) or not _ID.fullmatch(given["id"]):
        raise origin.error(f"{excerpt(given['id'])} is no id of a passage: 1 to 64 characters, no spaces or brackets.")
    if not isinstance(given["text"], str) or not given["text"].strip():
        raise origin.error(f"The text of passage {given['id']} is empty.")
    return Passage(given["id"], given["text"])


def _check_answer(said: Any, citations: Any, ids: Iterable[str], origin: Origin, *, as_json: bool) -> None:
    if not isinstance(citations, list) or not all(isinstance(each, str) for each in citations):
        raise origin.error("'citations' must be a list of the ids of passages.")
    for each in citations:
        if each not in ids:
            raise origin.error(f"The answer cites {excerpt(each)}, which is none of its passages: {', '.join(ids)}.")
    if said is None:
        if citations:
            raise origin.error("The answer is null, a refusal, and yet it cites. Leave 'citations' empty: [].")
        return
    if not citations:
        raise origin.error("The answer cites nothing. Name its passages in 'citations', or refuse: null and [].")
    if not as_json and not isinstance(said, str):
        raise origin.error('The answer must be a text; any other value needs "form": "json".')
    if said in ([], {}) or (isinstance(said, str) and not said.strip()):
        raise origin.error("The answer is empty. Write one, or null for a refusal.")


def _check_leaks(train: Iterable[Conversation], held_out: Iterable[Conversation]) -> None:
    trained = {spoken_words(row): row.origin for row in train}
    for row in held_out:
        if (twin := trained.get(spoken_words(row))) is not None:
            raise row.origin.error(
                f"The same row is in the training file ({twin.path}, line {twin.line}): a score on it would prove "
                "nothing. Remove one of the two."
            )
