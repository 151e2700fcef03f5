"""The verbs in the order in which `--help` lists them, and how the command ends.

Nothing here or above imports a deep-learning library, but for the verbs of `training`, `merging`, `estimating`,
`rows`, `talking`, `stacking`, `exporting`, `importing` and `checkup` once they are called.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, cast

import typer
from typer.core import TyperGroup

from adapterkit.cli.completion.answer import COMPLETE_VARIABLE, answer
from adapterkit.cli.output import print_json, printable
from adapterkit.cli.terminal import write_lookalikes
from adapterkit.cli.verbs import (
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
from adapterkit.config.nobody_reads import (
    NOBODY_READS,
    NobodyReadsError,
    flush_or_tell,
    nobody_reads,
    write_to_nobody,
)
from adapterkit.config.stopping import stoppable
from adapterkit.errors import AdapterKitError

DEBUG_VARIABLE = "ADAPTERKIT_DEBUG"
# Letters of a sentence: longer than any.
_WHOLE = 1000
_FORWARDED = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


class Verbs(TyperGroup):
    """The verbs; whoever stops reading what one prints, as `adapterkit list | head -1` does, stops it."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Each verb with its whole sentence, where typer cuts what does not fit on one line."""
        named = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(_WHOLE)) for name, command in named if command])

    def invoke(self, ctx: Any) -> Any:
        """Run the verb that was named.

        Raises:
            NobodyReadsError: standard output is a pipe that was closed.
            Exit: Ctrl-C, or SIGTERM where the verb takes back what it began.
        """
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            # Left to typer, it would say nothing.
            print(f"interrupted: {ctx.invoked_subcommand} did not end", file=sys.stderr)
            raise typer.Exit(128 + signal.SIGINT) from error
        except BrokenPipeError as error:
            if nobody_reads():
                raise NobodyReadsError from error
            raise


app = typer.Typer(
    cls=Verbs,
    name="adapterkit",
    help="Families of LoRA adapters on one frozen base: list, verify, sign, train, merge and talk to them.",
    no_args_is_help=True,
    context_settings={"max_content_width": 100},
    # Help and errors as plain text: rich takes as long to come as all else that help needs, and a pipe wants no boxes.
    rich_markup_mode=None,
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
app.command()(keeping.remove)
app.command()(keeping.gc)
app.command()(checkup.doctor)
app.command()(talking.chat)
app.command()(stoppable(stacking.flatten))
app.command()(stacking.parity)
app.command()(merging.compatible)
app.command()(stoppable(exporting.export))
app.command(context_settings=_FORWARDED)(training.train)
app.command(context_settings=_FORWARDED)(merging.merge)
app.command()(estimating.estimate)
app.add_typer(rows.data, cls=Verbs)
app.command("import")(importing.import_folder)
app.command()(training.rebuild)
app.command()(training.reproduce)


def main(arguments: list[str] | None = None) -> None:
    """Run the command and leave: 0 fine, 1 a check failed or something is missing, 2 wrong usage.

    Besides: 75 of a training, a merge or a rebuild that was interrupted, 130 of any other verb that was, 141 where
    nobody reads standard output any more.

    Args:
        arguments: the words after `adapterkit`; null means those of the process.

    Raises:
        SystemExit: always, with the exit code.
        AdapterKitError: only under `ADAPTERKIT_DEBUG=1`, for its traceback.
    """
    if COMPLETE_VARIABLE in os.environ:
        answer(app)
    write_lookalikes()
    words = sys.argv[1:] if arguments is None else arguments
    try:
        try:
            code = _ended(words)
        finally:
            flush_or_tell()
    except NobodyReadsError:
        write_to_nobody()
        code = NOBODY_READS
    sys.exit(code)


def _ended(words: list[str]) -> int:
    """Run the command; its exit code, once what went wrong is told."""
    try:
        return int(app(args=words, prog_name="adapterkit", standalone_mode=False) or 0)
    except AdapterKitError as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        _tell(error, str(error), words)
        return error.exit_code
    except typer.TyperException as error:
        if _asked_for_json(words):
            print_json({"error": error.format_message(), "kind": "UsageError"})
        # It shows the usage of the verb, too; only its subclasses are ever raised, and all can.
        cast(Any, error).show()
        return error.exit_code
    except typer.Abort:
        print("aborted", file=sys.stderr)
        return 1
    except OSError as error:
        if os.environ.get(DEBUG_VARIABLE) or isinstance(error, BrokenPipeError):
            raise
        _tell(error, f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error), words)
        return 1


def _tell(error: Exception, told: str, words: list[str]) -> None:
    if _asked_for_json(words):
        print_json({"error": told, "kind": type(error).__name__})
    # A message may quote a file from somewhere, and that file may try to steer the terminal.
    print("\n".join(printable(line) for line in f"error: {told}".split("\n")), file=sys.stderr)


def _asked_for_json(words: list[str]) -> bool:
    """Whether a verb of ours was to print JSON; what follows `train` or `merge` is another command's."""
    return "--json" in words and words[0] not in ("train", "merge")
