"""Personas from the annual addresses to Congress: every president is one; whole addresses are held out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from adapterkit.data.addresses import Document, read_documents
from adapterkit.data.conversation import Conversation, Origin, Turn
from adapterkit.data.corpora import check_splits_itself, corpus_folder, corpus_label, corpus_origin
from adapterkit.data.leaks import apart
from adapterkit.data.splits import Splits
from adapterkit.errors import DataError, UnknownNameError
from adapterkit.names import nearest

PROMPT = "Write a paragraph of an annual address to Congress."
INSTALL = "pip install 'adapterkit[demo]'"


def read_presidents(
    *,
    persona: str | None,
    train: str | None,
    validation: str | None,
    test: str | None,
    prompt: str | None,
    install: str | None,
) -> Splits:
    """Paragraphs of one president's addresses, or of all of them.

    An address is all that one president said in one year. The last one is the test, the one before it the validation
    (when there are three or more), the rest is for training. Without a persona that holds for every president at once,
    so what all voices share has seen none of the held-out addresses.

    Args:
        persona: a president's id, surname or full name; null for all of them.
        train: null or `auto`.
        validation: `auto`, or null for none; the address stays out of training either way.
        test: likewise.
        prompt: the user's turn of every row; null for one that names neither speaker nor era.
        install: the command that brings the corpus, for the error message.

    Raises:
        MissingExtraError: the corpus is not installed.
        UnknownNameError: no president, or more than one, goes by that name.
        DataError: the president gave a single address.
        UsageError: files were given.
    """
    check_splits_itself("presidents", train=train, validation=validation, test=test)
    documents = read_documents(_folder(install))
    chosen = resolve_president(persona, documents) if persona is not None else None
    rows = _rows_by_split(documents, PROMPT if prompt is None else prompt)
    own = {name: _of(chosen, part) for name, part in rows.items()}
    if not own["train"]:
        raise DataError(_single_address(chosen or "", documents))
    return Splits.chosen(
        own,
        validation=validation,
        test=test,
        source=f"{corpus_label('sotu')}, {chosen or 'every president'}",
        origins=corpus_origin("sotu"),
    )


def president_names(install: str | None = None) -> tuple[str, ...]:
    """The ids of the presidents who can be trained: those with two addresses or more, oldest first.

    Raises:
        MissingExtraError: the corpus is not installed.
    """
    years = _years(read_documents(_folder(install)))
    return tuple(president for president, spoken in years.items() if len(spoken) > 1)


def resolve_president(persona: str, documents: Sequence[Document]) -> str:
    """The corpus's id for an id, a surname or a full name, whatever its case and punctuation.

    Raises:
        UnknownNameError: nobody goes by that name, or several do.
    """
    names: dict[str, dict[str, None]] = {}
    for document in documents:
        for name in (document.president_id, document.surname, document.full_name):
            names.setdefault(_plain(name), {})[document.president_id] = None
    ids = {_plain(document.president_id): document.president_id for document in documents}
    meant = list(names.get(_plain(persona), {}))
    if _plain(persona) in ids:
        return ids[_plain(persona)]
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise UnknownNameError("persona", persona, meant, hint="More than one goes by that name; use the id.")
    close = [president for name in nearest(_plain(persona), names) for president in names[name]]
    raise UnknownNameError(
        "persona", persona, list(dict.fromkeys(close)), hint="An id, a surname or a full name is taken."
    )


@lru_cache(maxsize=2)
def _rows_by_split(documents: tuple[Document, ...], prompt: str) -> dict[str, tuple[Conversation, ...]]:
    years = _years(documents)
    rows: dict[str, list[Conversation]] = {"train": [], "validation": [], "test": []}
    for document in documents:
        split = _split(document.year, years[document.president_id])
        for line, paragraph in document.paragraphs:
            origin = Origin(
                path=f"sotu/data/speeches/{document.fileid}.txt",
                line=line,
                label=document.president_id,
                strata=(document.president_id, document.fileid),
            )
            rows[split].append(Conversation((Turn("user", prompt), Turn("assistant", paragraph)), origin))
    return apart(rows)


def _years(documents: Sequence[Document]) -> dict[str, list[int]]:
    years: dict[str, set[int]] = {}
    for document in documents:
        years.setdefault(document.president_id, set()).add(document.year)
    return {president: sorted(spoken) for president, spoken in years.items()}


def _split(year: int, years: Sequence[int]) -> str:
    if year == years[-1]:
        return "test"
    return "validation" if len(years) >= 3 and year == years[-2] else "train"


def _of(president: str | None, rows: Sequence[Conversation]) -> tuple[Conversation, ...]:
    return tuple(row for row in rows if president is None or row.origin.strata[0] == president)


def _single_address(president: str, documents: Sequence[Document]) -> str:
    name = next(document.full_name for document in documents if document.president_id == president)
    year = _years(documents)[president][-1]
    return (
        f"{name} ({president}) gave a single address, in {year}: it is held out for the test and nothing is left to "
        "train on. Choose a president with two addresses or more, such as persona=lincoln."
    )


def _folder(install: str | None) -> Path:
    return corpus_folder("sotu", "data", purpose="the presidents' addresses", install=install or INSTALL)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")
