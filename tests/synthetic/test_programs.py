"""Programs in a process of their own: what they give, and what they may not do."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapterkit.data.synthetic.programs import Program, run_programs

GOOD = Program("def f(x):\n    return x + 1", "f", [[1], [2]])


def given(text: str, *calls: list[object]) -> tuple[list[object], str]:
    (outcome,) = run_programs([Program(text, "f", calls or [[1]])], seconds=1)
    return outcome.values, outcome.error


def test_values_come_back_as_json_gives_them() -> None:
    assert given("def f(x):\n    return (x, {'a': None})", [1], [[2, "ö"]]) == (
        [[1, {"a": None}], [[2, "ö"], {"a": None}]],
        "",
    )


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("def f(x:", "SyntaxError"),
        ("def g(x):\n    return x", "KeyError"),
        ("f = 5", "TypeError"),
        ("def f(x):\n    return x / 0", "ZeroDivisionError"),
        ("def f(x):\n    return {x}", "TypeError"),
        ("def f(x):\n    raise SystemExit", "SystemExit"),
        ("def f(x):\n    return f(x)", "RecursionError"),
        ("def f(x):\n    return 'a' * 10 ** 6", "more than can be compared"),
        ("def f(x):\n    while True: pass", "took too long"),
        ("def f(x):\n    return 'a' * 10 ** 10", "MemoryError"),
        ("def f(x):\n    return open('/etc/passwd').read()", "PermissionError"),
        ("def f(x):\n    import socket", "PermissionError"),
        ("def f(x):\n    import os\n    os.system('true')", "PermissionError"),
        ("def f(x):\n    import os\n    os.fork()", "PermissionError"),
        ("def f(x):\n    import os\n    os.remove('x')", "PermissionError"),
        ('x = "\ud800"', "Error"),
        ("\x00", "Error"),
    ],
)
def test_what_goes_wrong_is_said_and_costs_the_next_nothing(text: str, error: str) -> None:
    found, after = run_programs([Program(text, "f", [[1]]), GOOD], seconds=1)
    assert found.values == []
    assert error in found.error
    assert (after.values, after.error) == ([2, 3], "")


@pytest.mark.parametrize(
    "text",
    [
        "import os\ndef f(x):\n    os._exit(0)",
        "def f(x):\n    while True:\n        try:\n            sum(range(9**5))\n        except BaseException: pass",
    ],
)
def test_a_program_that_ends_the_process_costs_the_others_nothing(text: str) -> None:
    before, found, after = run_programs([GOOD, Program(text, "f", [[1]]), GOOD], seconds=1)
    assert found.error == "it ended the process it ran in"
    assert before.values == after.values == [2, 3]


def test_modules_at_hand_may_be_imported() -> None:
    assert given("import math\nfrom collections import Counter\ndef f(x):\n    return math.gcd(x, 4)", [6]) == ([2], "")


def test_calls_share_no_values_and_prints_go_nowhere() -> None:
    assert given("def f(x):\n    print(x)\n    x.append(1)\n    return x", [[]], [[]]) == ([[1], [1]], "")


def test_no_file_is_written(tmp_path: Path) -> None:
    values, error = given(f"def f(x):\n    open({str(tmp_path / 'a')!r}, 'w').write('a')")
    assert (values, "PermissionError" in error) == ([], True)
    assert not [*tmp_path.iterdir()]


def test_what_is_expected_never_reaches_the_program() -> None:
    (outcome,) = run_programs([Program("import sys\ndef f(x):\n    return sorted(sys.argv)[1:]", "f", [[1]])])
    assert outcome.values == [[]]


def test_many_programs_share_a_process() -> None:
    assert [outcome.values for outcome in run_programs([GOOD] * 1200)] == [[2, 3]] * 1200
    assert run_programs([]) == []
