"""The journal against a model: a list of what was acknowledged, through crashes, tears, rot and reopening."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from support.sample import scaled
from tc.durable import Journal, read_entries, tail_entries, verify_journal
from tc.errors import JournalCorrupt, JournalTruncated

payloads = st.dictionaries(
    st.text(max_size=8), st.one_of(st.integers(), st.text(max_size=30), st.booleans(), st.none()), max_size=4
)


class JournalMachine(RuleBasedStateMachine):
    """Rules act on the journal and on the model; the invariants compare them."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="journal-machine-"))
        self.path = self.folder / "journal"
        self.anchor = self.folder / "anchor"
        self.journal = Journal.create(self.path)
        self.model: list[tuple[str, object]] = []
        self.added: list[tuple[str, object]] = []
        self.anchored = 0

    def teardown(self) -> None:
        self.journal.close()
        shutil.rmtree(self.folder)

    def acknowledge(self) -> None:
        self.model += self.added
        self.added = []

    @rule(payload=payloads)
    def append(self, payload: dict[str, object]) -> None:
        seq = self.journal.append("Event", len(self.model), payload)
        self.added.append(("Event", payload))
        self.acknowledge()
        assert seq == len(self.model)

    @rule(payload=payloads)
    def add(self, payload: dict[str, object]) -> None:
        self.journal.add("Event", 0, payload)
        self.added.append(("Event", payload))

    @rule()
    def sync(self) -> None:
        head = self.journal.sync()
        self.acknowledge()
        assert head.seq == len(self.model)

    @rule()
    def write_anchor(self) -> None:
        self.journal.write_anchor(self.anchor)
        self.acknowledge()
        self.anchored = len(self.model)

    @rule()
    def reopen(self) -> None:
        self.journal.close()
        self.acknowledge()
        self.journal = Journal.open(self.path, anchor=self.anchor)

    @rule(share=st.floats(0, 1), zeros=st.integers(0, 3))
    def crash_while_appending(self, share: float, zeros: int) -> None:
        """The process dies with a part of one more line written; what was only added is gone."""
        self.journal._drop()
        self.added = []
        before = self.path.read_bytes()
        self.journal.append("Torn", 0, {"text": "é" * 20})
        line = self.path.read_bytes()[len(before) :]
        self.journal.close()
        part = line[: int((len(line) - 1) * share)] + b"\0" * zeros
        self.path.write_bytes(before + part)
        self.journal = Journal.open(self.path, anchor=self.anchor)
        if part == line[:-1]:
            self.model.append(("Torn", {"text": "é" * 20}))
        elif part:
            evidence = self.path.with_name(f"journal.torn-{len(self.model) + 1}")
            assert evidence.read_bytes() == part
            self.model.append(("TailRepaired", {"lost_bytes": len(part), "evidence": evidence.name}))

    @precondition(lambda self: self.model)
    @rule(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
    def rot(self, where: float, bit: int) -> None:
        """A flipped bit anywhere is refused by verifier and writer, and healed by flipping it back."""
        self.journal.close()
        self.acknowledge()
        content = self.path.read_bytes()
        at = int(where * len(content))
        self.path.write_bytes(content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :])
        assert isinstance(verify_journal(self.path).problem, JournalCorrupt)
        with pytest.raises(JournalCorrupt):
            Journal.open(self.path)
        self.path.write_bytes(content)
        self.journal = Journal.open(self.path, anchor=self.anchor)

    @precondition(lambda self: self.anchored)
    @rule()
    def cut_before_the_anchor(self) -> None:
        """Without its anchored entry the journal is refused, and goes on when that is restored."""
        self.journal.close()
        self.acknowledge()
        content = self.path.read_bytes()
        self.path.write_bytes(b"".join(content.splitlines(keepends=True)[: self.anchored - 1]))
        with pytest.raises(JournalTruncated):
            Journal.open(self.path, anchor=self.anchor)
        self.path.write_bytes(content)
        self.journal = Journal.open(self.path, anchor=self.anchor)

    @invariant()
    def holds_what_was_acknowledged(self) -> None:
        read = [(entry.type, entry.payload()) for entry in read_entries(self.path)]
        assert read[: len(self.model)] == self.model
        assert read[len(self.model) :] == self.added[: len(read) - len(self.model)]
        assert [(entry.type, entry.payload()) for entry in tail_entries(self.path, 3)] == read[-3:]


TestJournalMachine = JournalMachine.TestCase
TestJournalMachine.settings = settings(
    max_examples=scaled(40, 400),
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
TestJournalMachine = pytest.mark.timeout(240)(TestJournalMachine)
