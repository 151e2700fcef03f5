"""One's own styles: a folder a style, its children in sub-folders; a parent takes all that lies below it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from adapterkit.config.schema import DataConfig
from adapterkit.data.conversation import Conversation, Origin
from adapterkit.data.leaks import spoken_words, without
from adapterkit.data.pack_files import Pack, pack_digest, read_pack
from adapterkit.data.pack_pieces import Piece, read_pieces
from adapterkit.data.splits import SPLITS, Splits
from adapterkit.data.tune_families import family_links
from adapterkit.data.whole_pieces import gather, split_pieces
from adapterkit.errors import DataError, UnknownNameError, UsageError
from adapterkit.names import nearest

PROMPT = "Write a piece."


def read_style_pack(config: DataConfig, persona: str | None) -> Splits:
    """The pieces of one style of a pack, with those of all styles below it.

    A piece - a text file, a JSONL row, a tune - is held out as a whole: an eighth of each style's is the test, an
    eighth the validation, chosen by what they say; files in folders `train`, `validation` and `test` go where these
    say. A piece that stands in several places, and the variants of one tune, go to one split, also when they are of
    different styles; a style trains on such a piece once.

    Args:
        config: of it `train` (the folder), `style` (null: the whole pack), `prompt`, and `validation` and `test`:
            `auto`, or null for none; such pieces stay out of training either way.
        persona: null.

    Raises:
        DataError: the folder is no pack, a piece cannot be read or is both trained on and held out by its folders, or
            the style has nothing to train on.
        UnknownNameError: the pack has no such style.
        UsageError: no folder was given, or files or a persona were.
    """
    pack, style = chosen_style(config, persona)
    folder = _folder(config, persona)
    prompt = PROMPT if config.prompt is None else config.prompt
    rows = _rows_by_split(pack, [piece for file in pack.files for piece in read_pieces(file, prompt)])
    own = {name: _of(style, part) for name, part in rows.items()}
    if not own["train"]:
        raise DataError(
            f"The style '{style}' has nothing to train on. Put texts into its folder, or into those below it.",
            path=folder,
        )
    return Splits.chosen(
        own,
        validation=config.validation,
        test=config.test,
        source=f"{folder}, {style}",
        origins={f"folder:{folder}": pack_digest(folder) or ""},
    )


def chosen_style(config: DataConfig, persona: str | None) -> tuple[Pack, str]:
    """The pack, and which of its styles is meant; no piece is read.

    Raises:
        DataError, UnknownNameError, UsageError: as `read_style_pack`.
    """
    pack = read_pack(_folder(config, persona))
    style = config.style if config.style is not None else pack.name
    if style not in pack.tags:
        hint = (
            f"The pack has {', '.join(pack.tags)}: say which with data.style=NAME; unsaid, the recipe's own is taken."
        )
        raise UnknownNameError("style", style, nearest(style, pack.tags), hint=hint)
    return pack, style


def _folder(config: DataConfig, persona: str | None) -> Path:
    if persona is not None:
        raise UsageError(f"data=style_pack has styles and no personas: data.style={persona}")
    if config.train is None or config.train == "auto":
        raise UsageError("data=style_pack needs a folder: data=style_pack data.train=FOLDER")
    for split in ("validation", "test"):
        if (value := getattr(config, split)) not in (None, "auto"):
            raise UsageError(
                f"data=style_pack takes no other folder, but data.{split}={value}. Put what is held out into a folder "
                f"'{split}' of its style, and write data.{split}=auto (null: without it)."
            )
    return Path(config.train)


def _rows_by_split(pack: Pack, pieces: Sequence[Piece]) -> dict[str, list[tuple[Conversation, tuple[str, ...]]]]:
    """Each row with the styles that it belongs to."""
    families = gather(_links(pieces))
    chosen = _splits(pack, pieces, families)
    rows: dict[str, list[tuple[Conversation, tuple[str, ...]]]] = {name: [] for name in SPLITS}
    for piece, family in zip(pieces, families, strict=True):
        rows[chosen[family]].extend((row, piece.file.styles) for row in piece.rows)
    plain = {name: [row for row, _ in part] for name, part in rows.items()}
    allowed = {
        "train": set(without(plain["train"], plain["validation"], plain["test"])),
        "validation": set(without(plain["validation"], plain["test"])),
        "test": set(plain["test"]),
    }
    return {name: [(row, styles) for row, styles in part if row in allowed[name]] for name, part in rows.items()}


def _links(pieces: Sequence[Piece]) -> list[list[object]]:
    """What ties pieces together: all that they say, and for tunes what variants share."""
    links: list[list[object]] = [[tuple(spoken_words(row)[-1] for row in piece.rows)] for piece in pieces]
    tunes = [number for number, piece in enumerate(pieces) if piece.is_tune]
    shared = family_links([(pieces[number].title, pieces[number].rows[0].turns[-1].content) for number in tunes])
    for number, own in zip(tunes, shared, strict=True):
        links[number].extend(own)
    return links


def _splits(pack: Pack, pieces: Sequence[Piece], families: Sequence[int]) -> dict[int, str]:
    """The split of each family: its folder's, or by what its pieces say among those of the style of its first one."""
    said: dict[int, list[str]] = {}
    home: dict[int, str] = {}
    fixed: dict[int, tuple[str, Origin]] = {}
    for piece, family in zip(pieces, families, strict=True):
        origin = piece.rows[0].origin
        said.setdefault(family, []).extend(row.turns[-1].content for row in piece.rows)
        home.setdefault(family, piece.file.styles[-1])
        if piece.file.split is None:
            continue
        split, twin = fixed.setdefault(family, (piece.file.split, origin))
        if split != piece.file.split:
            raise origin.error(
                f"This is in '{piece.file.split}', and the same piece, or a variant of the tune, is in '{split}' "
                f"({twin.path}, line {twin.line}): a score on it would prove nothing. Remove one of the two."
            )
    chosen = {family: split for family, (split, _) in fixed.items()}
    for style in pack.tags:
        chosen.update(split_pieces({f: said[f] for f in said if f not in fixed and home[f] == style}))
    return chosen


def _of(style: str, rows: Sequence[tuple[Conversation, tuple[str, ...]]]) -> tuple[Conversation, ...]:
    """The rows of a style and of all below it, each once."""
    own: dict[object, Conversation] = {}
    for row, styles in rows:
        if style in styles:
            own.setdefault(row.turns, row)
    return tuple(own.values())
