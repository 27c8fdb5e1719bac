"""Names of the latches: a closed latch holds until its day ends or a named person releases it."""

from __future__ import annotations

TOTAL_DRAWDOWN = "total_drawdown"
DAILY_LOSS = "daily_loss"


def repeated_execution(strategy_id: str, instrument_id: str) -> str:
    """Return the latch of a strategy that repeated itself on an instrument."""
    return f"repeated_execution/{strategy_id}/{instrument_id}"
