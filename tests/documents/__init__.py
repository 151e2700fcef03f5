"""README.md and docs/**/*.md run. How to write a page so that it does:

1. Every fence names a language: `bash`, `python`, `json`, `yaml`, `toml`, `text` (output, trees, quotations) or
   `mermaid`. A page begins in an empty folder of its own, and ends there.
2. `bash` and `python` blocks run as they are written, from the top of the page to its end. Each bash block is one
   `bash -euo pipefail`, begun in the page's folder with the variables that earlier blocks exported. Python blocks share
   their names, as in one session.
3. A block with a title is a file and is not run: ```` ```json title="chats.jsonl" ```` writes `chats.jsonl` before what
   follows. It is the way to bring data, recipes (`title="mine/recipe/x.yaml"`) and scripts (`title="ask.py"`).
4. A command that must fail is marked: a line that ends in `# exit code 1` has to leave with 1. Any other comment says
   nothing to the test.
5. JSON (one document, or one a line), YAML and TOML are parsed, and rows of training data are read by the real readers.
6. What a page takes for granted and does not make is made by a few commands in `before.py`. Better that the page does.
7. Trainings take two steps on a base of two small random layers, which bears the name and the tokenizer of the demo's:
   no page may depend on what an answer says, on a loss, or on a version that only other weights would lead to.
8. `python`, `adapterkit`, `torchrun` and `accelerate` are the real programs. What cannot run where there is no network,
   no GPU or no end - `pip`, `make`, servers, bases from the hub - is read and checked by `words.py`, which says why.
   The few blocks that cannot run at all stand in `before.py`, each with its reason.

`test_read.py` takes seconds: languages, links, anchors, verbs, recipes, choices of groups, keys and files that any page
names. `test_run.py` is marked `long`.
"""
