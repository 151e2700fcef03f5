"""What the labels have to be, from a text in which a person has put what is learnt into brackets.

Nothing of the package takes part, and no offsets of a tokenizer: every token is turned back into its bytes, and these
are counted off along the text.
"""

from __future__ import annotations

import re

from transformers import PreTrainedTokenizerFast

OPEN, CLOSE = "⟦", "⟧"
_BYTE_PIECE = re.compile(r"<0x([0-9A-F]{2})>")


def labels_by_hand(
    bracketed: str, tokenizer: PreTrainedTokenizerFast, messages: list[dict[str, str]]
) -> tuple[list[int], list[int]]:
    """The ids that the template and the tokenizer give, and the label of each.

    Args:
        bracketed: the whole text, with every learnt stretch between brackets.
        tokenizer: byte-level, or of sentencepiece's kind.
        messages: of which the text is said to be made.
    """
    text, learnt = _unbracketed(bracketed)
    assert tokenizer.apply_chat_template(messages, tokenize=False) == text, "the text by hand is not the template's"
    ids = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False)
    labels, place = [], 0
    for piece, token in zip(_pieces(ids, tokenizer), ids, strict=True):
        # A space that the tokenizer adds by itself is nothing of the text: the model writes it before what follows.
        inside = learnt[place : place + max(1, len(piece))]
        if any(inside):
            assert all(inside) or not _outside(piece, inside).strip(), f"{piece!r} is half learnt"
        labels.append(token if any(inside) else -100)
        place += len(piece)
    assert b"".join(_pieces(ids, tokenizer)) == text.encode()
    return ids, labels


def _unbracketed(bracketed: str) -> tuple[str, list[bool]]:
    text, learnt, inside = "", [], False
    for letter in bracketed:
        if letter in (OPEN, CLOSE):
            inside = letter == OPEN
            continue
        text += letter
        learnt += [inside] * len(letter.encode())
    return text, learnt


def _outside(piece: bytes, inside: list[bool]) -> bytes:
    return bytes(byte for byte, learnt in zip(piece, inside, strict=True) if not learnt)


def _pieces(ids: list[int], tokenizer: PreTrainedTokenizerFast) -> list[bytes]:
    """The bytes of the text that each token stands for."""
    specials = {token.content for token in tokenizer.added_tokens_decoder.values()}
    core = tokenizer.backend_tokenizer
    prepends = core.normalizer is not None and "Prepend" in repr(core.normalizer)
    pieces, begins = [], True
    for name in tokenizer.convert_ids_to_tokens(ids):
        if name in specials:
            pieces.append(name.encode())
        elif core.normalizer is None:
            pieces.append(bytes(_BYTES[letter] for letter in name))
        else:
            found = _BYTE_PIECE.fullmatch(name)
            piece = bytes([int(found[1], 16)]) if found else name.replace("▁", " ").encode()
            pieces.append(piece.removeprefix(b" ") if begins and prepends else piece)
        begins = name in specials
    return pieces


def _byte_letters() -> dict[str, int]:
    """GPT-2's letters for bytes: those that print stand for themselves, the others for letters from 256 on."""
    printing = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printing]
    return {chr(byte): byte for byte in printing} | {chr(256 + place): byte for place, byte in enumerate(others)}


_BYTES = _byte_letters()
