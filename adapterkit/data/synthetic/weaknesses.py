"""A second look at security rows: a small scanner over the syntax tree, which does not know how a row was made."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

_CLEANERS = {"secure_filename", "os.path.basename"}
_OPENERS = {"open", "send_file", "shutil.copy"}
_EXECUTED = {"execute", "executescript"}
_SECRETS = {"password", "api_key", "token", "secret"}
_BROKEN = {"hashlib.md5", "hashlib.sha1", "DES.new", "ARC4.new"}
_UNSAFE = {"pickle.loads", "pickle.Unpickler", "marshal.loads", "jsonpickle.decode"}


def weaknesses(code: str) -> set[tuple[str, int]]:
    """Every weakness that the rules know: its class and its line.

    Raises:
        SyntaxError: this is no Python.
    """
    return {
        (cwe, node.lineno)
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.expr | ast.stmt)
        for cwe, weak in _RULES.items()
        if weak(node)
    }


def _called(node: ast.AST) -> str:
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


def _first(node: ast.AST) -> ast.expr | None:
    return node.args[0] if isinstance(node, ast.Call) and node.args else None


def _given(node: ast.AST, key: str) -> ast.expr | None:
    return next((each.value for each in node.keywords if each.arg == key), None) if isinstance(node, ast.Call) else None


def _is(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _composed(node: ast.expr | None) -> bool:
    """Whether a text is put together from parts, rather than written out or listed."""
    return isinstance(node, ast.BinOp | ast.JoinedStr | ast.Call)


def _raw_names(node: ast.AST) -> Iterator[str]:
    """The variables that reach an expression without going through a cleaner."""
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Call):
        if _called(node) not in _CLEANERS:
            for argument in node.args:
                yield from _raw_names(argument)
    else:
        for child in ast.iter_child_nodes(node):
            yield from _raw_names(child)


def _path(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return bool([*_raw_names(node.right)])
    first = _first(node)
    return _called(node) in _OPENERS and first is not None and bool([*_raw_names(first)])


def _command(node: ast.AST) -> bool:
    shell = _called(node) in {"os.system", "os.popen"} or _is(_given(node, "shell"), True)
    return shell and _composed(_first(node))


def _sql(node: ast.AST) -> bool:
    return _called(node).rpartition(".")[2] in _EXECUTED and _composed(_first(node))


def _evaluated(node: ast.AST) -> bool:
    return _called(node) in {"eval", "exec"}


def _certificate(node: ast.AST) -> bool:
    unset = isinstance(node, ast.Attribute) and node.attr in {"CERT_NONE", "_create_unverified_context"}
    return unset or _is(_given(node, "verify"), False)


def _broken(node: ast.AST) -> bool:
    named = _called(node) == "hashlib.new" and isinstance(first := _first(node), ast.Constant) and first.value == "md5"
    return named or _called(node) in _BROKEN


def _deserialized(node: ast.AST) -> bool:
    loader = _given(node, "Loader")
    unsafe = _called(node) == "yaml.load" and (loader is None or ast.unparse(loader) != "yaml.SafeLoader")
    return unsafe or _called(node) in _UNSAFE


def _fixed(node: ast.AST) -> bool:
    if isinstance(node, ast.Assign):
        names = {target.id for target in node.targets if isinstance(target, ast.Name)}
        return bool(names & _SECRETS) and isinstance(node.value, ast.Constant)
    return any(isinstance(_given(node, key), ast.Constant) for key in sorted(_SECRETS))


_RULES: dict[str, Callable[[ast.AST], bool]] = {
    "CWE-22": _path,
    "CWE-78": _command,
    "CWE-89": _sql,
    "CWE-95": _evaluated,
    "CWE-295": _certificate,
    "CWE-327": _broken,
    "CWE-502": _deserialized,
    "CWE-798": _fixed,
}
