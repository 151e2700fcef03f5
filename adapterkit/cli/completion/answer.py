"""The answer to a shell that completes a command: typer's, but for what bash takes apart, and never an error."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from typing import Any, NoReturn

COMPLETE_VARIABLE = "_ADAPTERKIT_COMPLETE"
# Of the letters at which bash takes a word apart, those that our words hold: +recipe=NAME, name@1.0.0.
_BREAKS = frozenset("=@:")


def answer(app: Callable[..., Any]) -> NoReturn:
    """Print what may stand at the cursor, and leave.

    Args:
        app: reads the question in the environment, prints the answer and exits.

    Raises:
        SystemExit: always.
    """
    bash = os.environ[COMPLETE_VARIABLE] == "complete_bash"
    told, code = io.StringIO(), 0
    try:
        with redirect_stdout(told), redirect_stderr(io.StringIO()):
            kept = _put_together() if bash else ""
            app(args=[], prog_name="adapterkit")
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 0
    # Somebody is in the middle of a line: whatever is wrong, such as a damaged registry, is told by the verb itself.
    except Exception:
        sys.exit(0)
    with suppress(BrokenPipeError):
        # Typer answers an empty line where nothing may stand.
        answers = told.getvalue() if told.getvalue().strip() else ""
        sys.stdout.write(_for_bash(answers, kept) if bash else answers)
        sys.stdout.flush()
    sys.exit(code)


def _put_together() -> str:
    """Put the words of COMP_WORDS together again, and return what bash keeps of the one that is completed."""
    given = os.environ["COMP_WORDS"].split("\n")[: int(os.environ["COMP_CWORD"]) + 1]
    words, kept, is_open = [given[0]], "", False
    for part in given[1:]:
        is_break = bool(part) and _BREAKS.issuperset(part)
        if is_break or (is_open and part):
            words[-1] += part
        else:
            words.append(part)
        # It goes on behind a break, but with an `@`, which readline takes for the beginning of a host's name.
        kept = words[-1].removesuffix("@") if is_break else kept if is_open and part else ""
        is_open = is_break
    os.environ.update(COMP_WORDS="\n".join(words), COMP_CWORD=str(len(words) - 1))
    return kept


def _for_bash(answers: str, kept: str) -> str:
    lines = [line.removeprefix(kept) for line in answers.splitlines()]
    # A word that goes on must not be followed by a space, which bash only leaves out between several answers.
    more = [f"{lines[0]}..."] if len(lines) == 1 and lines[0].endswith("=") else []
    return "".join(f"{line}\n" for line in [*lines, *more])
