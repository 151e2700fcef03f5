"""Rows for five tasks whose answers a program checks."""

from adapterkit.data.synthetic.forms import Form, Row, Task, Verdict
from adapterkit.data.synthetic.kept import load_rows, rows_digest, rows_statistics, save_rows, split
from adapterkit.data.synthetic.proving import Proof, check_rows
from adapterkit.data.synthetic.tasks import TASKS, capacity, check, check_all, generate, task_named

__all__ = [
    "TASKS",
    "Form",
    "Proof",
    "Row",
    "Task",
    "Verdict",
    "capacity",
    "check",
    "check_all",
    "check_rows",
    "generate",
    "load_rows",
    "rows_digest",
    "rows_statistics",
    "save_rows",
    "split",
    "task_named",
]
