"""Merge two personas into one, flatten that with its parent, and load the result in plain PEFT, with nothing else.

Run it: python examples/merge_and_flatten.py    (publishes in ./adapters_merged, and keeps it)
"""

from __future__ import annotations

import sys

import torch

import adapterkit

REGISTRY = "adapters_merged"
PROMPT = "Write a paragraph of an annual address to Congress."
# A fourth of the recipes' own training, to be through soon.
SHORT = ["trainer.max_steps=10", "data.validation=null", "data.max_test_rows=16"]


def train(recipe: str, *words: str) -> adapterkit.AdapterRef:
    """Train what is missing, and say what is published."""
    overrides = [*SHORT, *words, *sys.argv[1:]]
    return adapterkit.train_recipe(recipe, registry=REGISTRY, overrides=overrides).artifact.ref


def main() -> None:
    """Each step publishes an adapter that names its sources by digest; a second run finds all of them there."""
    train("unified")
    personas = [train("persona_on_unified", f"persona={name}") for name in ("lincoln", "reagan")]

    # Of the true changes, not of the factors; measured on the test rows of both, and proven before it is published.
    both = adapterkit.merge_adapters(
        personas, method="ties", weights=[0.6, 0.4], name="both", registry=REGISTRY, overrides=["density=0.5"]
    ).artifact
    print(f"{both.ref}: {both.manifest.description}")
    for name, value in sorted(both.manifest.metrics.items()):
        print(f"  {name:32} {value:.3g}")

    # Without its parent it would silently be another model. Flattened, the two are one LoRA.
    flat = adapterkit.flatten_stack(both.ref, registry=REGISTRY)
    print(f"{flat.ref}: {flat.manifest.description} Rank {flat.manifest.adapter.rank}.")

    session = adapterkit.load(both.ref, registry=REGISTRY, quantization="fp32")
    from peft import AutoPeftModelForCausalLM  # Only now: adapterkit has told its libraries not to advise on stderr.

    plain = AutoPeftModelForCausalLM.from_pretrained(str(flat.path), dtype=torch.float32).eval()
    row = session.tokenizer(PROMPT, return_tensors="pt")
    with torch.inference_mode():
        ours, theirs = session.model(**row).logits, plain(**row).logits
    print(f"logits up to {ours.abs().max():.1f}; plain PEFT differs by {(ours - theirs).abs().max():.1e} at most")


if __name__ == "__main__":
    main()
