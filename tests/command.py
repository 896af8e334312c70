"""Run the `sapiens` command in this process."""

from typer.testing import CliRunner, Result

from sapiens.cli import main as command
from sapiens.errors import SapiensError


def sapiens_cli(*arguments: object, stdin: bytes | None = None) -> Result:
    """Exit code, stdout and stderr as `main` gives them; `shown` is what a user reads of an expected error."""
    result = CliRunner().invoke(command.app, [str(a) for a in arguments], input=stdin)
    result.shown = result.stderr
    if isinstance(result.exception, SapiensError):
        result.shown, result.exit_code = result.exception.message, 1
    elif result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result
