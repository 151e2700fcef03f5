"""Train a persona on top of the voice that it shares with others, see what was proven, and ask both.

Run it: python examples/train_persona.py
    python examples/train_persona.py persona=obama trainer.max_steps=8    # words as behind `adapterkit train`

Of what it prints with trainer.max_steps=8, of the recipe's 36:
    ...Q4_1.gguf <- unified@1.0.0 <- persona_lincoln@1.0.0: trained; base unmoved: True
      test_loss                3.441
      test_loss_before         3.458
    persona_lincoln@1.0.0: The President has requested the Congress to take a more active and responsible ...
"""

from __future__ import annotations

import logging
import sys

import adapterkit

PROMPT = "Write a paragraph of an annual address to Congress."


def main() -> None:
    """Train, or find what is published already; then the numbers, and the answers with the persona and without it."""
    # A library says nothing unless it is asked to: this shows the estimate, what is proven, and how to load the result.
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)

    # The unified adapter is trained first where it is missing: the recipe names the parent, and the parent's recipe.
    outcome = adapterkit.train_recipe("persona_on_unified", overrides=sys.argv[1:])

    manifest = outcome.artifact.manifest
    unmoved = manifest.base.fingerprint_before == manifest.base.fingerprint_after
    print(f"\n{manifest.lineage}: {'trained' if outcome.trained else 'there already'}; base unmoved: {unmoved}")
    for name, value in sorted(manifest.metrics.items()):
        print(f"  {name:24} {value:.4g}")

    # Base, parent and persona, each verified down to its bytes.
    session = adapterkit.load(outcome.artifact.ref)
    print(f"\n{outcome.artifact.ref}: {session.generate(PROMPT, max_new_tokens=60)}")
    with session.without_last():
        print(f"\n{session.lineage.parents[-1].ref}: {session.generate(PROMPT, max_new_tokens=60)}")


if __name__ == "__main__":
    main()
