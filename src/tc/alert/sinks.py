"""Where alerts go: a log file, a web address, a command. Targets come from the environment and are never shown."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tc.alert.webhook import Webhook, webhook_problem
from tc.durable import append_stream, make_directory
from tc.errors import InputError, TcError

LOG = "log"
PREFIX = "TC_ALERT_"
SCHEMA = "tc.alerts/v1"
SEND_S = 4.0
_EXEC = "exec:"

# Runs a command line with bytes on its standard input for at most so many seconds; returns its exit code.
Runner = Callable[[Sequence[str], bytes, float], int]


class SinkFailed(Exception):
    """A sink did not take what it was sent; the text names no target."""


class Sink(Protocol):
    """Takes alerts; `name` is what the spec calls it."""

    @property
    def name(self) -> str:
        """What the spec calls it."""

    def send(self, documents: Sequence[dict[str, Any]]) -> None:
        """Return when all of them were taken; any exception says that they were not."""


@dataclass
class LogSink:
    """One JSON line an alert, at the end of a file."""

    path: Path
    name: str = LOG
    _is_torn: bool = False

    def send(self, documents: Sequence[dict[str, Any]]) -> None:
        """Append the lines in one write."""
        lines = "".join(f"{json.dumps(document)}\n" for document in documents).encode()
        if self._is_torn:
            lines = b"\n" + lines
        if not self.path.parent.is_dir():
            make_directory(self.path.parent)
        with append_stream(self.path) as stream:
            written = stream.write(lines)
        self._is_torn = 0 < written < len(lines)
        if written < len(lines):
            raise SinkFailed("the disk took only a part")


@dataclass(frozen=True)
class WebhookSink:
    """A POST of one JSON document."""

    name: str
    _webhook: Webhook = field(repr=False)

    def send(self, documents: Sequence[dict[str, Any]]) -> None:
        """Return when the other end answered 2xx."""
        status = self._webhook.post(encode(documents))
        if not 200 <= status < 300:
            raise SinkFailed(f"HTTP {status}")


@dataclass(frozen=True)
class CommandSink:
    """A command that is given one JSON document on its standard input."""

    name: str
    _words: tuple[str, ...] = field(repr=False)
    _run: Runner = field(repr=False)

    def send(self, documents: Sequence[dict[str, Any]]) -> None:
        """Return when the command ended with 0."""
        code = self._run(self._words, encode(documents), SEND_S)
        if code:
            raise SinkFailed(f"the command ended with {code}")


def encode(documents: Sequence[dict[str, Any]]) -> bytes:
    """Return what a webhook or a command is given."""
    return json.dumps({"schema": SCHEMA, "alerts": list(documents)}).encode()


def problem_of(error: Exception) -> str:
    """Return a failure in words that cannot hold a target: messages of libraries quote addresses and paths."""
    if isinstance(error, SinkFailed | TcError):
        return str(error)
    if isinstance(error, OSError) and isinstance(error.errno, int) and error.errno > 0:
        return os.strerror(error.errno)
    return type(error).__name__


def variable_of(name: str) -> str:
    """Return the environment variable that holds the target of a sink."""
    return PREFIX + name.upper().replace("-", "_").replace(".", "_")


def named_in(environment: Mapping[str, str]) -> list[str]:
    """Return the sinks that an environment has targets for."""
    found = (name.removeprefix(PREFIX) for name, target in environment.items() if name.startswith(PREFIX) and target)
    return sorted(name.lower().replace("_", "-") for name in found if name)


def sinks_of(
    names: Sequence[str], environment: Mapping[str, str], log_file: Path, *, run: Runner | None = None
) -> list[Sink]:
    """Return the log sink and those named; `run` starts the command of an `exec:` target.

    Raises:
        InputError: a sink has no target, or one that is neither an address nor a command. Names the variable, never
            its value.
    """
    named = [name for name in dict.fromkeys(names) if name != LOG]
    return [LogSink(log_file), *(_sink_of(name, environment, run) for name in named)]


def _sink_of(name: str, environment: Mapping[str, str], run: Runner | None) -> Sink:
    variable = variable_of(name)
    target = environment.get(variable, "").strip()
    if not target:
        raise InputError(
            f"the environment variable {variable} is not set, though the alert sink '{name}' needs it; "
            "set it to https://… or exec:command"
        )
    if target.startswith(_EXEC):
        return CommandSink(name, _words_of(variable, target), run or _no_runner)
    problem = webhook_problem(target)
    if problem is not None:
        raise InputError(f"the environment variable {variable} {problem}; set it to https://… or exec:command")
    return WebhookSink(name, Webhook(target, SEND_S))


def _words_of(variable: str, target: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(target.removeprefix(_EXEC)))
    except ValueError:  # its text may quote what it could not read
        words = ()
    if not words or "\0" in target:
        raise InputError(
            f"the environment variable {variable} has exec: but no command that a shell would read; fix it"
        )
    return words


def _no_runner(_words: Sequence[str], _data: bytes, _timeout_s: float) -> int:
    raise SinkFailed("this process starts no commands")
