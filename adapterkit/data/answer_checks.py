"""Which answers to a reader's rows are right: a check by program for each reader that has one."""

from __future__ import annotations

from collections.abc import Callable

from adapterkit.data.code_review import check_review
from adapterkit.data.functions import check_function
from adapterkit.data.grounding import check_grounded
from adapterkit.data.module_imports import check_imports
from adapterkit.data.weaknesses import check_weakness

# What a model said and what the row teaches -> whether that will do. Nothing that a model wrote is ever run.
ANSWER_CHECKS: dict[str, Callable[[str, str], bool]] = {
    "grounded": lambda said, wanted: check_grounded(said, wanted).right,
    "documents": lambda said, wanted: check_grounded(said, wanted).right,
    "functions": lambda said, wanted: check_function(said, wanted).right,
    "algorithms": lambda said, wanted: check_function(said, wanted).right,
    "code_review": lambda said, wanted: check_review(said, wanted).right,
    "weaknesses": check_weakness,
    "module_imports": check_imports,
}
