"""The ``varcall`` command: its subcommands, its exit codes, and the one place that reports errors.

Exit codes: 0 done; 1 input, data or run error; 2 usage; 130 interrupted; 141 the reader of
standard output went away; 143 terminated.
"""

import gc
import os
import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from models.errors import ModelError
from varcall.cli.ask import ask
from varcall.cli.call import call
from varcall.cli.check import check
from varcall.cli.demo import demo
from varcall.cli.eval import eval_
from varcall.cli.examples import examples
from varcall.cli.joint import joint
from varcall.cli.merge import merge
from varcall.cli.profile import profile
from varcall.cli.report import report
from varcall.cli.show import show
from varcall.cli.signals import catch_signals, ignore_signals
from varcall.cli.simulate import simulate
from varcall.cli.spike import spike
from varcall.cli.standard_streams import open_standard_streams
from varcall.cli.train import train
from varcall.cli.workflow import workflow
from varcall.errors import VarcallError
from varcall.log import configure_logging
from varcall.version import __version__

EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141

app = typer.Typer(
    name="varcall",
    help="Call germline small variants from aligned reads.",
    no_args_is_help=True,
    # Boxed help and boxed tracebacks are noise in the log files of a pipeline.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    """Print one line that workflow managers can parse, and stop."""
    if wanted:
        typer.echo(f"varcall {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Call germline small variants from aligned reads."""
    # Commands with -v or --quiet set this again.
    configure_logging()


# In the order of a user's needs, which is the order of `varcall --help`.
COMMANDS = (
    call, check, profile, show, ask, merge, joint, eval_, report, simulate, spike, examples, train,
    demo, workflow,
)  # fmt: skip
for _command in COMMANDS:
    app.command(_command.__name__.rstrip("_"))(_command)


def _report(message: str) -> None:
    """Write one line about a failure to standard error, even where that is closed too."""
    try:
        print("varcall: error:", " ".join(message.split()), file=sys.stderr, flush=True)
    except OSError:
        _silence(sys.stderr.fileno())


def _silence(descriptor: int) -> None:
    """Send what is still buffered for a closed pipe nowhere: no message at exit."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, descriptor)
    os.close(devnull)


def _broken_pipe() -> int:
    _silence(sys.stdout.fileno())
    return EXIT_BROKEN_PIPE


def _invoke(arguments: Sequence[str] | None) -> int:
    """Run one subcommand; a usage error is reported in the same form as any other."""
    command = typer.main.get_command(app)
    try:
        status = command.main(
            args=None if arguments is None else list(arguments),
            prog_name="varcall",
            standalone_mode=False,
        )
        sys.stdout.flush()
    except typer.TyperException as error:
        _report(f"{error.format_message()} See: varcall --help")
        return error.exit_code
    except SystemExit as error:
        # typer turns a broken pipe into a plain exit 1.
        if isinstance(error.__context__, BrokenPipeError):
            return _broken_pipe()
        raise
    return status if isinstance(status, int) else 0


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments
        Command-line words after ``varcall``; those of the process when None.
    """
    try:
        return _invoke(arguments)
    except (VarcallError, ModelError) as error:
        _report(str(error))
        return error.exit_code
    except BrokenPipeError:
        return _broken_pipe()
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except OSError as error:
        _report(str(error))
        return 1
    except MemoryError:
        _report("out of memory: try fewer --threads, or a smaller --max-depth or --window")
        return 1


def main() -> NoReturn:
    """Entry point of the console command."""
    open_standard_streams()
    # OpenBLAS starts threads when NumPy is imported, and `varcall.workers.pool` forks only without.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # What imports make lives on: to look through it so often takes a twentieth of a short run.
    gc.set_threshold(200_000)
    catch_signals()
    try:
        sys.exit(run())
    finally:
        ignore_signals()
