"""What passages tell of buildings that do not exist: a sentence and a question for each kind of fact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

# From a thing and a value to a sentence.
Tell = Callable[[str, str], str]


@dataclass(frozen=True)
class Fact:
    """One kind of fact.

    Attributes:
        name: of its templates.
        value: which list of `VALUES` it takes.
        told: from a thing and a value to a sentence.
        asked: from a thing to the question.
        seen: whether rows to train on are made from it.
    """

    name: str
    value: str
    told: Tell
    asked: Callable[[str], str]
    seen: bool = True


NAMES = (
    "Halden", "Orrin", "Vesper", "Calder", "Brisk", "Tamsin", "Ulmer", "Corvin", "Denby", "Ashgrove", "Linden",
    "Marlow", "Petrel", "Rowan", "Selby", "Thorne", "Wickham", "Yarrow", "Quill", "Fenwick", "Galloway", "Hollis",
    "Ingram",
)  # fmt: skip
KINDS = ("bridge", "library", "tower", "theatre", "mill", "harbour", "lighthouse", "museum", "station", "market")
VALUES = {
    "year": tuple(str(1702 + 17 * step) for step in range(18)),
    "number": tuple(str(14 + 23 * step) for step in range(18)),
    "person": (
        "Olsen", "Pereira", "Novak", "Duarte", "Keller", "Ivanova", "Tanaka", "Moreau", "Rossi", "Larsen", "Haddad",
        "Silva", "Weber", "Okafor", "Lindqvist", "Castro",
    ),
    "town": (
        "Avonlea", "Brixham", "Carrow", "Dunmere", "Eastby", "Farrow", "Glenholt", "Harwick", "Islay", "Kestrel",
        "Lowmoor", "Milford", "Norwood", "Oakham", "Penrith", "Redcar",
    ),
    "stuff": (
        "granite", "oak", "brick", "copper", "slate", "marble", "iron", "glass", "clay", "cedar", "bronze", "limestone",
        "steel", "tin", "sandstone", "pine",
    ),
}  # fmt: skip

FACTS = (
    Fact(
        "opened", "year", lambda e, v: f"The {e} was opened in {v}.",
        lambda e: f"When was the {e} opened?",
    ),
    Fact(
        "closed", "year", lambda e, v: f"The {e} was closed in {v}.",
        lambda e: f"When was the {e} closed?",
    ),
    Fact(
        "repaired", "year", lambda e, v: f"Repairs of the {e} ended in {v}.",
        lambda e: f"When did repairs of the {e} end?",
    ),
    Fact(
        "sold", "year", lambda e, v: f"In {v} the {e} was sold.",
        lambda e: f"In which year was the {e} sold?",
    ),
    Fact(
        "designer", "person", lambda e, v: f"{v} designed the {e}.",
        lambda e: f"Who designed the {e}?",
    ),
    Fact(
        "owner", "person", lambda e, v: f"The {e} belongs to {v}.",
        lambda e: f"To whom does the {e} belong?",
    ),
    Fact(
        "keeper", "person", lambda e, v: f"{v} looks after the {e}.",
        lambda e: f"Who looks after the {e}?",
    ),
    Fact(
        "named", "person", lambda e, v: f"The {e} is named after {v}.",
        lambda e: f"After whom is the {e} named?",
    ),
    Fact(
        "place", "town", lambda e, v: f"The {e} stands in {v}.",
        lambda e: f"Where does the {e} stand?",
    ),
    Fact(
        "road", "town", lambda e, v: f"The road to the {e} starts in {v}.",
        lambda e: f"Where does the road to the {e} start?",
    ),
    Fact(
        "seen", "town", lambda e, v: f"From {v} one can see the {e}.",
        lambda e: f"From where can one see the {e}?",
    ),
    Fact(
        "height", "number", lambda e, v: f"The {e} is {v} metres high.",
        lambda e: f"How many metres high is the {e}?",
    ),
    Fact(
        "cost", "number", lambda e, v: f"A ticket to the {e} costs {v} crowns.",
        lambda e: f"What does a ticket to the {e} cost?",
    ),
    Fact(
        "rooms", "number", lambda e, v: f"The {e} has {v} rooms.",
        lambda e: f"How many rooms does the {e} have?",
    ),
    Fact(
        "steps", "number", lambda e, v: f"{v} steps lead up to the {e}.",
        lambda e: f"How many steps lead up to the {e}?",
    ),
    Fact(
        "walls", "stuff", lambda e, v: f"The walls of the {e} are of {v}.",
        lambda e: f"What are the walls of the {e} made of?",
    ),
    Fact(
        "door", "stuff", lambda e, v: f"The {e} has a door of {v}.",
        lambda e: f"What is the door of the {e} made of?",
    ),
    Fact(
        "roof", "stuff", lambda e, v: f"Sheets of {v} cover the roof of the {e}.",
        lambda e: f"What covers the roof of the {e}?",
    ),
    # For the test alone.
    Fact(
        "burned", "year", lambda e, v: f"A fire in {v} damaged the {e}.",
        lambda e: f"When did a fire damage the {e}?", seen=False,
    ),
    Fact(
        "painter", "person", lambda e, v: f"The {e} was painted by {v}.",
        lambda e: f"By whom was the {e} painted?", seen=False,
    ),
    Fact(
        "twin", "town", lambda e, v: f"A copy of the {e} was built in {v}.",
        lambda e: f"Where was a copy of the {e} built?", seen=False,
    ),
    Fact(
        "staff", "number", lambda e, v: f"The {e} employs {v} people.",
        lambda e: f"How many people does the {e} employ?", seen=False,
    ),
    Fact(
        "floor", "stuff", lambda e, v: f"Visitors of the {e} walk on {v}.",
        lambda e: f"On what do visitors of the {e} walk?", seen=False,
    ),
)  # fmt: skip
