"""The `carillon` command: its words, options and exit codes. What a word does stands in the file of its noun.

Imports stand inside the commands, so that `carillon --help` is there at once.
"""

import sys

import typer
from typer.exceptions import TyperException

from console import commands_accounts, commands_decide, commands_read, commands_run
from console.options import CampaignsPath, WrongCommandError

_COMMANDS = (
    commands_run.demo,
    commands_run.up,
    commands_run.scheduler,
    commands_run.worker,
    commands_run.dashboard,
    commands_read.init,
    commands_read.check,
    commands_read.schema,
    commands_read.creators,
    commands_read.campaigns_,
    commands_accounts.lists,
    commands_accounts.members,
    commands_accounts.media,
    commands_accounts.list_create,
    commands_accounts.list_add,
    commands_accounts.login,
    commands_run.send,
    commands_read.broadcasts,
    commands_read.show,
    commands_read.report,
    commands_decide.cancel,
    commands_decide.retry,
    commands_decide.unsend,
    commands_decide.resolve,
    commands_decide.pause,
    commands_decide.resume,
    commands_run.sandbox,
    commands_read.doctor,
    commands_run.migrate,
)

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich" if sys.stdout.isatty() else None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Exit 0: done. 1: it failed, or what it is about is unknown or in another state. 2: a wrong command line."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        code = _run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:  # nobody reads it any more: nothing is left to flush
        sys.stdout = None
        code = 1
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    try:
        if any("\udc80" <= letter <= "\udcff" for word in arguments for letter in word):
            raise WrongCommandError("an argument is not UTF-8")
        return app(arguments, prog_name="carillon", standalone_mode=False) or 0
    except TyperException as error:
        return _refuse(error)
    except typer.Abort:
        print(file=sys.stderr)
        return 1
    except BrokenPipeError:
        raise
    except Exception as error:
        from console import failures, printing

        said = failures.sentences(error)
        if not said:
            raise
        say = printing.complain_of_file if isinstance(error, failures.WrongFilesError) else printing.complain
        for words in said:
            say(words)
        return 1


def _refuse(error: TyperException) -> int:
    from console.printing import complain

    context = getattr(error, "ctx", None)
    command = context.command_path if context else "carillon"
    complain(f"{error.format_message().rstrip('.')}; see `{command} --help`")
    return error.exit_code


@app.callback()
def carillon(campaigns: CampaignsPath = None) -> None:
    """Sends scheduled mass-message campaigns: on time, never twice, never over the limit, never silently lost."""


for command in _COMMANDS:
    app.command(command.__name__.rstrip("_").replace("_", "-"))(command)

if __name__ == "__main__":
    main()
