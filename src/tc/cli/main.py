"""The edge: faults become one message on stderr and an exit code; only our own bugs show a traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from tc.cli.output import say
from tc.errors import TcError

EXIT_BUG = 70
EXIT_INTERRUPTED = 130
INTERRUPTED = "tc: interrupted\n"


def main() -> None:
    """Run the command line and end the process with its exit code."""
    try:
        command = _command(sys.argv[1:])  # in here, so that an interrupt while loading ends cleanly too
        command()
    except TcError as error:
        if error.exit_code == EXIT_BUG:
            _report_bug(error)
        say(f"tc: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        say(INTERRUPTED)
        sys.exit(EXIT_INTERRUPTED)
    except SystemExit as ended:
        if ended.__context__ is not None and isinstance(ended.__context__.__cause__, KeyboardInterrupt):
            say(INTERRUPTED)  # typer makes an interrupt inside a command an exit with the same code, without a word
        raise
    except BrokenPipeError:
        sys.exit(0)  # the reader of our output has gone: nothing is wrong
    except Exception as error:  # noqa: BLE001 - the edge of the process: a bug is shown whole
        _report_bug(error)


def _command(arguments: list[str]) -> Callable[[], Any]:
    match arguments:  # the children of every paper run: they take no option, and need no parser loaded for it
        case ["node"]:
            from tc.cli.node import node

            return node
        case ["agent"]:
            from tc.cli.agent import agent

            return agent
        case ["run", *given]:
            return partial(_run, given)
        case _:
            from tc.cli.app import build_app

            return build_app(arguments)


def _run(given: list[str]) -> None:
    """Let the node of a paper run load while what reads the arguments and the spec does."""
    from tc.runs.node_ahead import node_ahead

    with node_ahead(given) as node:
        from tc.cli.app import build_app

        build_app(["run", *given])(obj=node)


def _report_bug(error: BaseException) -> None:
    import traceback

    traceback.print_exception(error)
    say("tc: this is a bug of ours; nothing that was acknowledged is lost. Please report the lines above.\n")
    sys.exit(EXIT_BUG)
