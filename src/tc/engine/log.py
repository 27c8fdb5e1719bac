"""Where the engine's own log goes: a file of the run, nothing on the terminal."""

from __future__ import annotations

from pathlib import Path

from nautilus_trader.common.config import LoggingConfig

LOG_NAME = "nautilus"


def file_log(level: str, directory: Path, *, clear: bool) -> LoggingConfig:
    """Return the log `nautilus.jsonl` in `directory`; a run that goes on keeps what stands there."""
    return LoggingConfig(
        log_level="OFF",
        log_level_file=level,
        log_directory=str(directory),
        log_file_name=LOG_NAME,
        log_file_format="json",
        log_colors=False,
        clear_log_file=clear,
    )
