"""Who may trade now: the mode of each strategy, and what the account was told."""

from __future__ import annotations

from dataclasses import dataclass

from tc.risk.permission import State, strictest

REASONS_MAX = 100
MODES = {"active": State.ACTIVE, "observe": State.OBSERVE, "off": State.OFF}


@dataclass(frozen=True)
class Member:
    """A strategy of the run: its id in the spec and the mode that it starts in."""

    spec_id: str
    mode: State


class Standing:
    """Modes of strategies and the standing of the account; the strictest holds (`tc.risk.permission`).

    A strategy that is not a member of the run is off. `version` moves with every change, so that a permission given
    under another one is asked for again.
    """

    def __init__(self, members: dict[str, Member]) -> None:
        """Take the members by NautilusTrader's strategy id."""
        self._spec_ids = {strategy_id: member.spec_id for strategy_id, member in members.items()}
        self._modes = {strategy_id: member.mode for strategy_id, member in members.items()}
        self._stood_down: dict[str, list[str]] = {}
        self._instruments: dict[str, list[str]] = {}
        self._account: dict[State, list[str]] = {}
        self.version = 0

    def spec_id(self, strategy_id: str) -> str | None:
        """Return a strategy's id in the spec; None for one that is no member."""
        return self._spec_ids.get(strategy_id)

    def mode(self, strategy_id: str) -> State:
        """Return a strategy's own mode."""
        return self._modes.get(strategy_id, State.OFF)

    def state(self, strategy_id: str, instrument_id: str = "") -> State:
        """Return what holds for a strategy now, in an instrument where one is given."""
        mode = self._modes.get(strategy_id, State.OFF)
        if not self._account and not self._stood_down and not self._instruments:
            return mode
        is_down = strategy_id in self._stood_down or instrument_id in self._instruments
        return strictest(mode, *self._account, *([State.STOOD_DOWN] if is_down else []))

    def is_stood_down(self, strategy_id: str) -> bool:
        """Return whether the strategy, or the account, was told to take no new risk."""
        return strategy_id in self._stood_down or State.STOOD_DOWN in self._account

    def is_held(self, instrument_id: str | None) -> bool:
        """Return whether nobody takes new risk in an instrument, or anywhere."""
        return bool(self._account) or instrument_id in self._instruments

    @property
    def is_killed(self) -> bool:
        """Whether the kill latch is closed."""
        return State.KILLED in self._account

    def set_mode(self, strategy_id: str, mode: State) -> None:
        """Set a member's mode."""
        self._modes[strategy_id] = mode
        self.version += 1

    def stand_down(self, reason: str, strategy_id: str | None = None, instrument_id: str | None = None) -> bool:
        """Take no new risk from now on, in the account, of a strategy or in an instrument; return if that is news."""
        reasons = self._reasons(strategy_id, instrument_id)
        is_news = reason not in reasons and len(reasons) < REASONS_MAX
        if is_news:
            reasons.append(reason)
        self.version += is_news
        return is_news

    def resume(self, strategy_id: str | None = None, instrument_id: str | None = None) -> list[str]:
        """End a stand-down, whatever it was for; return all of its reasons, none where there was none."""
        if instrument_id is not None:
            ended = self._instruments.pop(instrument_id, None)
        elif strategy_id is None:
            ended = self._account.pop(State.STOOD_DOWN, None)
        else:
            ended = self._stood_down.pop(strategy_id, None)
        self.version += ended is not None
        return ended or []

    def _reasons(self, strategy_id: str | None, instrument_id: str | None) -> list[str]:
        if instrument_id is not None:
            return self._instruments.setdefault(instrument_id, [])
        if strategy_id is None:
            return self._account.setdefault(State.STOOD_DOWN, [])
        return self._stood_down.setdefault(strategy_id, [])

    def kill(self, reason: str) -> bool:
        """Close the kill latch; nothing here opens it again. Return whether that is news."""
        if State.KILLED in self._account:
            return False
        self._account[State.KILLED] = [reason]
        self.version += 1
        return True

    def describe(self) -> dict[str, object]:
        """Return what holds, for whoever asks."""
        return {
            "account": {state.value: reasons for state, reasons in self._account.items()},
            "instruments": dict(self._instruments),
            "strategies": {
                strategy_id: {
                    "id": self._spec_ids[strategy_id],
                    "mode": mode.value,
                    "state": self.state(strategy_id).value,
                    "stood_down": self._stood_down.get(strategy_id, []),
                }
                for strategy_id, mode in self._modes.items()
            },
        }
