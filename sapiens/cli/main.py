"""The `sapiens` command: one verb per file, each importing what it needs only when it runs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from sapiens._version import __version__
from sapiens.cli import bench, data, demo, doctor, download, evaluate, models, predict, serve, synth, train
from sapiens.cli.console import put, say, say_error
from sapiens.errors import SapiensError

INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 + SIGINT."""

# Plain help text: rich's boxes would triple the time `--help` takes.
app = typer.Typer(
    name="sapiens",
    help="People in pictures, measured: pose, parts, normals, points, mattes and albedo with the Sapiens2 models.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(value: bool) -> None:
    if value:
        put(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


for verb in (predict, models, download, doctor, demo, synth, data, train, evaluate, bench, serve):
    verb.register(app)


def main() -> None:
    """Run the command; expected errors become one line and exit code 1."""
    try:
        app()
    except SapiensError as error:
        say_error(error)
        sys.exit(1)
    except SystemExit as stop:
        # typer turns Ctrl-C into this code without a word.
        if stop.code == INTERRUPTED:
            say("error", "interrupted; what was finished is written")
        raise
    except BrokenPipeError:
        # The reader of our output has gone (`sapiens models | head`): nothing left to say, and nobody to say it to.
        sys.stderr.close()
        sys.exit(141)


if __name__ == "__main__":
    main()
