"""The verbs in the order in which `--help` lists them, and how the command ends.

Nothing here or above imports a deep-learning library, but for the verbs of `running` once they are called.
"""

from __future__ import annotations

import os
import sys

import typer

from adapterkit.cli import keeping, looking, running, signing
from adapterkit.cli.output import printable
from adapterkit.errors import AdapterKitError

DEBUG_VARIABLE = "ADAPTERKIT_DEBUG"
_FORWARDED = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

app = typer.Typer(
    name="adapterkit",
    help="Families of LoRA adapters on one frozen base: list, verify, sign, train and talk to them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.command("list")(looking.list_adapters)
app.command()(looking.show)
app.command()(looking.verify)
app.command()(looking.lineage)
app.command()(looking.status)
app.command()(looking.history)
app.command()(signing.sign)
app.command()(keeping.promote)
app.command()(keeping.rollback)
app.command()(running.doctor)
app.command()(running.chat)
app.command(context_settings=_FORWARDED)(running.train)
app.command("import")(running.import_folder)
app.command()(running.rebuild)
app.command()(running.reproduce)


def main(arguments: list[str] | None = None) -> None:
    """Run the command and leave: 0 fine, 1 a check failed or something is missing, 2 wrong usage.

    Args:
        arguments: the words after `adapterkit`; null means those of the process.

    Raises:
        SystemExit: always, with the exit code.
        AdapterKitError: only under `ADAPTERKIT_DEBUG=1`, for its traceback.
    """
    try:
        app(args=arguments, prog_name="adapterkit")
    except AdapterKitError as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        # A message may quote a file from somewhere, and that file may try to steer the terminal.
        print("\n".join(printable(line) for line in f"error: {error}".split("\n")), file=sys.stderr)
        sys.exit(error.exit_code)
