"""The verbs in the order in which `--help` lists them, and how the command ends.

Nothing here or above imports a deep-learning library, but for the verbs of `training`, `merging`, `estimating`,
`rows`, `talking`, `stacking`, `exporting`, `importing` and `checkup` once they are called.
"""

from __future__ import annotations

import os
import sys

import typer

from adapterkit.cli import (
    checkup,
    estimating,
    exporting,
    importing,
    keeping,
    looking,
    merging,
    offering,
    rows,
    signing,
    stacking,
    talking,
    training,
)
from adapterkit.cli.output import print_json, printable
from adapterkit.config.stopping import stoppable
from adapterkit.errors import AdapterKitError

DEBUG_VARIABLE = "ADAPTERKIT_DEBUG"
_FORWARDED = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
_WORDS = {"allow_extra_args": True}

app = typer.Typer(
    name="adapterkit",
    help="Families of LoRA adapters on one frozen base: list, verify, sign, train, merge and talk to them.",
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
app.command()(offering.presets)
app.command()(signing.sign)
app.command()(keeping.promote)
app.command()(keeping.rollback)
app.command()(keeping.gc)
app.command()(checkup.doctor)
app.command()(talking.chat)
app.command()(stoppable(stacking.flatten))
app.command()(stacking.parity)
app.command()(merging.compatible)
app.command()(stoppable(exporting.export))
app.command(context_settings=_FORWARDED)(training.train)
app.command(context_settings=_FORWARDED)(merging.merge)
app.command(context_settings=_WORDS)(estimating.estimate)
app.add_typer(rows.data)
app.command("import")(importing.import_folder)
app.command()(training.rebuild)
app.command()(training.reproduce)


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
        if _asked_for_json(sys.argv[1:] if arguments is None else arguments):
            print_json({"error": str(error), "kind": type(error).__name__})
        # A message may quote a file from somewhere, and that file may try to steer the terminal.
        print("\n".join(printable(line) for line in f"error: {error}".split("\n")), file=sys.stderr)
        sys.exit(error.exit_code)


def _asked_for_json(words: list[str]) -> bool:
    """Whether a verb of ours was to print JSON; what follows `train` or `merge` is another command's."""
    return "--json" in words and words[0] not in ("train", "merge")
