"""The kill agent's signs of life, the dead man's countdown and the venue's limits, from the files that say them."""

from __future__ import annotations

import os
import time

from support.made_up_run import MadeUpRun
from support.observe_lab import Series, exporter_of, series_of
from support.venue_process import until
from tc.durable import BeatFile
from tc.model.heartbeat import AGENT_HEARTBEAT, Slot
from tc.store.roots import Roots
from tc.store.run_directory import RunDirectory

LOOP = ("tc_agent_heartbeat_timestamp_seconds", (("part", "loop"),))
ANSWER = ("tc_agent_heartbeat_timestamp_seconds", (("part", "order_path"),))
DEADLINE = ("tc_dead_man_deadline_timestamp_seconds", ())


def page(roots: Roots) -> Series:
    """Return the samples of the run's page."""
    return series_of(exporter_of(roots).run("run").body("openmetrics"), is_strict=True)


def test_an_agent_that_hangs_is_told_by_a_time_that_stands_still(sealed: RunDirectory, roots: Roots) -> None:
    """Its loop's last turn is UNIX time, moves while it turns, and not while it hangs; it counts as armed."""
    with MadeUpRun(sealed, roots, "run") as run:
        before = page(roots)[LOOP]
        assert abs(before - time.time()) < 2
        until(lambda: page(roots)[LOOP] > before, "it did not move")
        run.is_hung = True
        time.sleep(0.4)
        stands = page(roots)
        time.sleep(0.4)
        assert page(roots)[LOOP] == stands[LOOP]
        assert stands["tc_agent_armed", ()] == 1


def test_what_has_not_come_is_left_out_and_a_countdown_is_told_as_its_end(sealed: RunDirectory, roots: Roots) -> None:
    """No answer of the venue, no countdown: no series. Then its end in UNIX time; of another process's file nothing."""
    with MadeUpRun(sealed, roots, "run") as run:
        assert not {ANSWER, DEADLINE} & page(roots).keys()
        beats = run.agent
        beats.write(Slot.DEAD_MAN, time.monotonic_ns() + 7_000_000_000)
        beats.write(Slot.ORDER_PATH, time.monotonic_ns())
        found = page(roots)
        assert 5 < found[DEADLINE] - time.time() <= 7
        assert abs(found[ANSWER] - time.time()) < 2
        beats.write(Slot.PID, os.getppid())
        assert not {LOOP, ANSWER, DEADLINE} & page(roots).keys()
        beats.write(Slot.PID, os.getpid())
        assert LOOP in page(roots)


def test_a_heartbeat_file_that_is_none_is_counted_and_hides_nothing(sealed: RunDirectory, roots: Roots) -> None:
    """Cut short it is a broken artifact by its name; the rest of the run's page is there."""
    with MadeUpRun(sealed, roots, "run") as run:
        (run.run.scratch / AGENT_HEARTBEAT).unlink()
        (run.run.scratch / AGENT_HEARTBEAT).write_bytes(b"short")
        found = page(roots)
        assert found["tc_run_broken_artifacts", (("artifact", AGENT_HEARTBEAT),)] == 1
        assert found["tc_agent_armed", ()] == 1
        assert LOOP not in found
        BeatFile.create(run.run.scratch / AGENT_HEARTBEAT).close()
        assert page(roots)["tc_run_broken_artifacts", (("artifact", AGENT_HEARTBEAT),)] == 0


def test_the_use_of_the_venues_limits_is_a_ratio_by_window(sealed: RunDirectory, roots: Roots) -> None:
    """What the node's status says of each window, and how often a request had to wait."""
    with MadeUpRun(sealed, roots, "run") as run:
        run.used, run.held_back = 1_800, 3
        weight = ("tc_request_limit_use_ratio", (("window", "weight_1m"),))
        until(lambda: page(roots).get(weight) == 0.75, "the status was not read again")
        found = page(roots)
        assert found["tc_request_limit_use_ratio", (("window", "orders_10s"),)] == 0
        assert found["tc_requests_held_back_total", ()] == 3
