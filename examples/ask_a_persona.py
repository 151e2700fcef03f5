"""Ask a published adapter, with its base and all its parents verified first.

python examples/ask_a_persona.py persona_lincoln
"""

from __future__ import annotations

import sys

import adapterkit

PROMPT = "Write a paragraph of an annual address to Congress."


def main() -> None:
    """Verify, load and ask; print which lineage answered."""
    ref = sys.argv[1] if len(sys.argv) > 1 else "persona_lincoln"
    report = adapterkit.verify(ref)
    if not report.ok:
        sys.exit("\n".join(str(problem) for problem in report.problems))
    session = adapterkit.load(ref)
    print(f"[{session.lineage}]")
    print(session.generate(PROMPT, max_new_tokens=80))


if __name__ == "__main__":
    main()
