"""Bytes that survive: whole-file artifacts, file locks, hash-chained journals.

The only room that writes to disk. It knows nothing of runs or orders, uses the standard library alone, and
refuses to guess: unreadable is not empty, and a failed sync is never retried. Every promise is proved by
a test named in docs/promises.md.
"""

from __future__ import annotations

from tc.durable.anchor import read_anchor
from tc.durable.artifact import (
    append_stream,
    create_artifact,
    new_artifact,
    read_artifact,
    remove_artifact,
    write_artifact,
)
from tc.durable.background_sync import BackgroundSync
from tc.durable.beat_file import BeatFile
from tc.durable.descriptor import sync_file
from tc.durable.directory import create_tree, make_directory, new_tree, protect_tree, remove_tree, unprotect_tree
from tc.durable.frame import Entry, Head
from tc.durable.journal import Journal
from tc.durable.local_socket import listen_locally, make_private_folder, remove_socket
from tc.durable.lock import FileLock, LockHolder, lock_holder
from tc.durable.process import (
    boot_id,
    host,
    is_process_alive,
    is_process_spent,
    is_process_stopped,
    process_cpu_ns,
    process_memory_bytes,
    process_start_time,
)
from tc.durable.reader import JournalCheck, JournalReader, read_entries, tail_entries, verify_journal
from tc.durable.temporary import sweep_temporaries

__all__ = [
    "BackgroundSync",
    "BeatFile",
    "Entry",
    "FileLock",
    "Head",
    "Journal",
    "JournalCheck",
    "JournalReader",
    "LockHolder",
    "append_stream",
    "boot_id",
    "create_artifact",
    "create_tree",
    "host",
    "is_process_alive",
    "is_process_spent",
    "is_process_stopped",
    "listen_locally",
    "lock_holder",
    "make_directory",
    "make_private_folder",
    "new_artifact",
    "new_tree",
    "process_cpu_ns",
    "process_memory_bytes",
    "process_start_time",
    "protect_tree",
    "read_anchor",
    "read_artifact",
    "read_entries",
    "remove_artifact",
    "remove_socket",
    "remove_tree",
    "sweep_temporaries",
    "sync_file",
    "tail_entries",
    "unprotect_tree",
    "verify_journal",
    "write_artifact",
]
