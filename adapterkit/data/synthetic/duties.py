"""What a module may be there for, by the layer it belongs to, and the words by which a program tells them apart."""

from __future__ import annotations

# From the top layer to the bottom one; `#` is what it is about. The last two of each are kept for the test.
DUTIES: tuple[tuple[str, ...], ...] = (
    (
        "shows # on a page", "draws the form for #", "answers the browser that asks for #", "colours the buttons of #",
        "formats # for the screen", "reads what a visitor types about #", "lists # on the screen of a phone",
        "turns a click on # into a call",
    ),
    (
        "decides whether # may be cancelled", "computes the discount on #", "checks the rules for #",
        "works out which # are due", "compares # by price", "says when # count as late",
        "decides how many # are too many", "computes the fee for #",
    ),
    (
        "keeps # in the database", "writes # to disk", "reads the table of #", "caches records of # on disk",
        "runs the SQL for #", "backs up the table of #", "loads # from the database", "saves # to a file",
    ),
)  # fmt: skip
DUTIES_UNSEEN = 2
SIGNS: tuple[tuple[str, ...], ...] = (
    ("page", "form", "browser", "buttons", "screen", "visitor", "click"),
    ("decides", "computes", "rules", "due", "compares", "late"),
    ("database", "disk", "table", "SQL", "file"),
)
