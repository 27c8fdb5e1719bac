"""What burns a core for a whole window is told once, and once more when it has eased; a burst is nobody's alarm."""

from __future__ import annotations

from tc.supervise.cpu_policy import SECOND, Burning, CpuWatch, Eased


def told(watch: CpuWatch, shares: list[float], began: int = 0) -> list[tuple[int, str]]:
    """Return at which second what was told, where a process uses these shares of a core, second by second."""
    found, used = [], 0
    for second, share in enumerate([0.0, *shares]):
        used += int(share * SECOND)
        for part in range(20):  # asked twenty times a second
            finding = watch.turn(began + second * SECOND + part * SECOND // 20, used)
            if finding is not None:
                found.append((second, type(finding).__name__))
    return found


def test_a_window_above_the_bound_is_told_once_and_its_end_once() -> None:
    """Fifteen seconds at 97 %: told at the fifteenth; nothing more until a window is below the bound."""
    assert told(CpuWatch(0.95), [0.97] * 40 + [0.1] * 40) == [(15, Burning.__name__), (41, Eased.__name__)]


def test_a_burst_and_a_quiet_process_are_told_of_nobody() -> None:
    """Ten seconds of everything in every minute are less than the bound over any window."""
    assert told(CpuWatch(0.95), ([1.0] * 10 + [0.2] * 50) * 3) == []


def test_several_threads_count_together() -> None:
    """Two cores burnt are a share of 2: a bound above 1 allows for them."""
    assert told(CpuWatch(2.5), [2.0] * 30) == []
    assert told(CpuWatch(1.5), [2.0] * 30) == [(15, Burning.__name__)]


def test_another_process_begins_anew() -> None:
    """A restart starts with less time used: nothing of the process before counts."""
    watch = CpuWatch(0.95)
    assert told(watch, [1.0] * 14) == []
    assert told(watch, [1.0] * 14, began=15 * SECOND) == []
    assert watch.turn(99 * SECOND, None) is None
    assert watch.share is None


def test_our_own_pause_is_no_alarm() -> None:
    """Stopped for a minute, we see what the process used of that minute, and no more."""
    watch = CpuWatch(0.95)
    assert watch.turn(0, 0) is None
    assert watch.turn(60 * SECOND, 30 * SECOND) is None
    assert watch.share == 0.5
