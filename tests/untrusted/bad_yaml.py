"""YAML that must be refused before anything builds values from it: what each row tries, and the bytes of the file."""

from __future__ import annotations


def bomb(levels: int, width: int) -> bytes:
    """Lists of aliases of lists of aliases: a few hundred bytes that stand for `width ** levels` values."""
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(lines).encode()


# `{canary}` becomes the path of a file that appears only when a payload ran.
_TOUCH = "touch {canary}"

BAD_YAML: dict[str, bytes] = {
    # Expansion.
    "billion laughs": bomb(10, 10),
    "258 bytes that take OmegaConf half a minute": bomb(7, 4),
    "an anchor nobody uses": b"a: &x 1\n",
    "an alias of nothing": b"a: *x\n",
    "an alias of itself": b"a: &a [*a]\n",
    "an alias as a key": b"a: &x k\n? *x\n: 1\n",
    "a merge": b"a: {b: 1}\n<<: {b: 2}\n",
    "a merge of an anchor": b"a: &x {b: 1}\nc:\n  <<: *x\n",
    "a merge in an inner table": b"a:\n  <<: [{b: 1}, {b: 2}]\n",
    "a quoted merge": b'a:\n  "<<": {b: 1}\n',
    # Tags that construct.
    "os.system": f"a: !!python/object/apply:os.system ['{_TOUCH}']\n".encode(),
    "subprocess": f"a: !!python/object/apply:subprocess.check_output [['sh', '-c', '{_TOUCH}']]\n".encode(),
    "eval": b"a: !!python/object/apply:builtins.eval [\"open('{canary}', 'w')\"]\n",
    "an object": b"a: !!python/object:types.SimpleNamespace {x: 1}\n",
    "a new object": b"a: !!python/object/new:os.system ['touch {canary}']\n",
    "a module": b"a: !!python/module:adapterkit_canary\n",
    "a name": b"a: !!python/name:os.system\n",
    "a tuple": b"a: !!python/tuple [1, 2]\n",
    "a tag as a key": b"? !!python/object/apply:os.system ['touch {canary}']\n: 1\n",
    "a tag by its full name": b"a: !<tag:yaml.org,2002:python/name:os.system> x\n",
    "a tag by a directive": b"%TAG ! tag:yaml.org,2002:python/\n---\na: !name:os.system x\n",
    "a local tag": b"a: !include /etc/passwd\n",
    "a binary": b"a: !!binary aGVsbG8=\n",
    "a set": b"a: !!set {x, y}\n",
    "an ordered map": b"a: !!omap [x: 1]\n",
    "a text by tag": b"a: !!str 1\n",
    # What Hydra and OmegaConf would run.
    "_target_": b"_target_: os.system\ncommand: touch {canary}\n",
    "_target_ deep inside": b"data:\n  reader:\n    _target_: pathlib.Path.touch\n    self: '{canary}'\n",
    "_target_ in a list": b"a:\n- _target_: builtins.exec\n",
    "_target_ in quotes": b'a:\n  "_target_": builtins.exec\n',
    "_target_ by an escape": b'a:\n  "\\x5ftarget_": builtins.exec\n',
    "_target_ in flow style": b"a: {b: {_target_: builtins.exec, _args_: [1]}}\n",
    "_partial_": b"a: {_partial_: true}\n",
    "_recursive_": b"a: {_recursive_: true, _convert_: all}\n",
    "the environment": b"a: ${oc.env:HOME}\n",
    "a default from the environment": b'a: "${oc.env:NOBODY,x}"\n',
    "a decoder": b"a: ${oc.decode:${oc.env:HOME}}\n",
    "an interpolation inside a text": b"a: before ${b} after\nb: 1\n",
    "an interpolation as a key": b"${a}: 1\n",
    "an interpolation by an escape": b'a: "\\x24{oc.env:HOME}"\n',
    "an interpolation in a block": b"a: |\n  ${oc.env:HOME}\n",
    # Not one table of settings.
    "nothing": b"",
    "only a comment": b"# a\n",
    "a number": b"5\n",
    "a text": b"hello\n",
    "a list": b"- 1\n- 2\n",
    "two documents": b"a: 1\n---\nb: 2\n",
    "a document after the end": b"a: 1\n...\nb: 2\n",
    "a key twice": b"a: 1\na: 2\n",
    "a key twice, once quoted": b"a: 1\n'a': 2\n",
    "a key twice, once escaped": b'a: 1\n"\\x61": 2\n',
    "a key twice deep inside": b"a:\n- b: {c: 1, c: 2}\n",
    "a list as a key": b"? [a, b]\n: 1\n",
    "a table as a key": b"{a: 1}: 2\n",
    # Broken or foreign bytes.
    "an open list": b"a: [\n",
    "an open quote": b"a: 'x\n",
    "a tab": b"a:\n\tb: 1\n",
    "bytes that are not UTF-8": b"a: \xff\xfe\n",
    "half of a UTF-8 letter": b"a: \xc3",
    "UTF-16": "a: 1\n".encode("utf-16"),
    "UTF-32": "a: 1\n".encode("utf-32"),
    "a surrogate": b"a: \xed\xa0\x80\n",
    "a surrogate by an escape": b'a: "\\uD800"\n',
    "a NUL": b"a: x\x00y\n",
    "a control character": b"a: \x1b[2J\n",
    "another version of YAML": b"%YAML 3.0\n---\na: 1\n",
    "a pickle": b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.",
    # Size.
    "larger than the limit": b"a: " + b"x" * 200_001,
    "33 deep": b"a: " + b"[" * 33 + b"]" * 33 + b"\n",
    "33 deep in block style": b"".join(b" " * n + b"a:\n" for n in range(33)) + b" " * 33 + b"a: 1\n",
    "100000 open lists": b"a: " + b"[" * 100_000,
    "100000 open tables": b"{a: " * 100_000,
    "100000 dashes": b"a:\n" + b"- " * 100_000 + b"1\n",
    "60000 numbers": b"a: [" + b"1, " * 60_000 + b"1]\n",
    "15000 keys": b"".join(b"k%d: 1\n" % n for n in range(15_000)),
    "an endless key": b"a" * 190_000,
    "a key of questions": b"? " * 90_000,
    "a tab that only one of two readers takes": b"a: 1\nb \tc: 1\nmax_\tnorm: 1.0\n",
}
