"""Turn the members of a live stack up and down: base, parent and child add up as you say, at once.

Run it: python examples/stack_and_blend.py    (trains persona_lincoln first where it is missing: see train_persona.py)
Of what it prints, on a persona of 8 steps:
    unified alone: additive [1, 0], 4.475 nats a token
    as trained: additive [1, 1], 4.461 nats a token
"""

from __future__ import annotations

import sys

import torch

import adapterkit

PROMPT = "Write a paragraph of an annual address to Congress."
# Of Lincoln's last address, which no recipe trains on.
SAID = "The most reliable indication of public purpose in this country is derived through our popular elections."
# How they add up, and a weight for each member, the root's first: unified, persona_lincoln.
BLENDS: dict[str, tuple[str, list[float]]] = {
    "the base alone": ("additive", [0, 0]),
    "unified alone": ("additive", [1, 0]),
    "as trained": ("additive", [1, 1]),
    "half the persona": ("additive", [1, 0.5]),
    "twice the persona": ("additive", [1, 2]),
    "the mean of both": ("interpolative", [1, 1]),
}


def nats(session: adapterkit.Session, answer: str) -> float:
    """The mean loss of a conversation in which this is the answer; `session.model` is an ordinary PeftModel."""
    turns = [{"role": "user", "content": PROMPT}, {"role": "assistant", "content": answer}]
    row = session.tokenizer.apply_chat_template(turns, return_tensors="pt", return_dict=True).to(session.model.device)
    with torch.inference_mode():
        return float(session.model(**row, labels=row["input_ids"]).loss)


def main() -> None:
    """Print for each blend how likely it finds what Lincoln said, and what it says itself."""
    persona = adapterkit.train_recipe("persona_on_unified", overrides=sys.argv[1:]).artifact
    session = adapterkit.load(persona.ref)
    print(session.lineage)
    for told, (kind, weights) in BLENDS.items():
        session.blend(kind, weights)
        print(f"\n{told}: {kind} {weights}, {nats(session, SAID):.3f} nats a token")
        print(session.generate(PROMPT, max_new_tokens=30))

    session.blend()  # As it was trained: only scales were changed, and no weight was touched.
    try:
        session.blend("interpolative", [1, -1])
    except adapterkit.errors.UsageError as error:
        print(f"\nrefused: {error}")


if __name__ == "__main__":
    main()
