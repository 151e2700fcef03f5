"""What a page takes for granted, made by commands before its first block; and the blocks that cannot run at all."""

from __future__ import annotations

from tests.documents.blocks import Block

_UNIFIED = "adapterkit train +recipe=unified\n"
_PERSONA = _UNIFIED + "adapterkit train +recipe=persona_on_unified persona=lincoln\n"
_TASKS = "adapterkit train -m +recipe=task_coder,task_security\n"
_CHATS = r"""
for number in 1 2 3 4 5 6 7 8; do
  echo '{"messages": [{"role": "user", "content": "Say '$number'."},' \
    '{"role": "assistant", "content": "It is '$number'."}]}'
done > chats.jsonl
"""
_CODER_AND_SECURITY = """
adapterkit train +recipe=task_coder name=coder
adapterkit train +recipe=task_security name=security
"""
_PACK = r"""
mkdir -p packs/pop/dance_pop packs/pop/synth_pop
echo 'name: pop' > packs/pop/pack.yaml
printf 'name: dance_pop\nparent: pop\ntags: [fast]\n' > packs/pop/dance_pop/pack.yaml
echo 'name: synth_pop' > packs/pop/synth_pop/pack.yaml
for number in 1 2 3 4 5 6 7 8; do
  echo "{\"text\": \"Song $number of everywhere goes on and on.\"}" >> packs/pop/everywhere.jsonl
  echo "{\"text\": \"We dance number $number until the lights go out.\"}" >> packs/pop/dance_pop/more.jsonl
  echo "{\"text\": \"The machine number $number sings to itself.\"}" >> packs/pop/synth_pop/more.jsonl
done
"""
_QUESTIONS = r"""
mkdir docs
for split in questions test; do
  for number in 1 2 3 4; do
    echo '{"question": "When is '$split' '$number'?", "answer": "At four.", "citations": ["p1"],' \
      '"passages": [{"id": "p1", "text": "Its '$number' is at four."}, {"id": "p2", "text": "Tea is at ten."}]}'
  done > docs/$split.jsonl
done
"""
_TWO_VERSIONS = """
adapterkit promote persona_lincoln@1.0.0
adapterkit train +recipe=persona_on_unified persona=lincoln seed=1
adapterkit export unified --to hub --out some_lora
cp -r some_lora other_lora
"""

BEFORE: dict[str, str] = {
    "README.md": _UNIFIED,
    "docs/blending.md": _PERSONA,
    "docs/data-masks.md": _CHATS,
    "docs/export.md": _PERSONA,
    "docs/import.md": _UNIFIED + "adapterkit export unified --to hub --out some_lora\ncp -r some_lora other_lora\n",
    "docs/index.md": _UNIFIED,
    "docs/merge-door.md": _CODER_AND_SECURITY + _TASKS,
    "docs/merging.md": _CODER_AND_SECURITY,
    "docs/presets.md": _CHATS,
    "docs/ranks.md": _UNIFIED,
    "docs/reading.md": _CHATS,
    "docs/styles.md": _PACK + "adapterkit train +recipe=style_parent\n",
    "docs/synthetic.md": "adapterkit train +recipe=task_security\n",
    "docs/task-data.md": _QUESTIONS,
    "docs/training.md": _UNIFIED + _CHATS.replace('{"messages"', '{"persona": "alice", "messages"'),
    "docs/trust.md": _PERSONA,
    "docs/using.md": _PERSONA + _CODER_AND_SECURITY + _TWO_VERSIONS + 'ln -s "$ADAPTERKIT_CACHE"/bases/* base\n',
    "docs/variants.md": _UNIFIED + _CHATS + "mv chats.jsonl new.jsonl\n",
    "docs/versions.md": _PERSONA + _TWO_VERSIONS,
}
# A block is named by its page and its first line.
CANNOT: dict[tuple[str, str], str] = {}


def cannot(block: Block) -> str | None:
    """Why a block cannot run; null for all that do."""
    return CANNOT.get((block.page, block.first_line))
