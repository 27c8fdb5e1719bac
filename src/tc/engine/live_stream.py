"""The streams of a paper run's node: soon back when they are cut, and the user stream never given up.

The adapter asks once for a new listen key when its stream is back. Where the venue does not answer just then, it closes
the stream for good, says so in its log, and trades on without ever hearing of its orders again.
"""

from __future__ import annotations

import asyncio
from functools import partial

from nautilus_trader.adapters.binance.websocket import client, user
from nautilus_trader.adapters.binance.websocket.user import BinanceUserDataWebSocketClient
from nautilus_trader.core.nautilus_pyo3 import WebSocketConfig

PAUSE_S, PAUSE_S_MAX = 0.25, 2.0


def reconnect_soon() -> None:
    """Let every stream of the adapter in this process try again after a quarter of a second, and at least every two.

    Its own pauses are 2 to 30 seconds, good manners to an exchange, and half an hour of bars at a hundred times their
    speed. The adapter lets nobody choose.
    """
    quick = partial(
        WebSocketConfig,
        reconnect_delay_initial_ms=int(PAUSE_S * 1000),
        reconnect_delay_max_ms=int(PAUSE_S_MAX * 1000),
    )
    client.WebSocketConfig = user.WebSocketConfig = quick


class PersistentUserStream(BinanceUserDataWebSocketClient):
    """Asks until it has a listen key and a stream again, or the node is stopped."""

    is_over = False

    async def _resubscribe_locked(self) -> bool:
        pause_s = PAUSE_S
        while not self.is_over:
            self._subscription_id = None
            self._cancel_keepalive()
            await self._disconnect_stream()
            try:
                await self._subscribe_rest(pre_dispatch_hook=self._on_resubscribe)
            except Exception as error:  # noqa: BLE001 - whatever it is: without a stream the node is blind
                self._log.warning(f"No user stream yet, asking again in {pause_s:g} s: {error}")
            else:
                return True
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, PAUSE_S_MAX)
        return False

    async def unsubscribe_user_data_stream(self) -> None:
        """End the stream."""
        self.is_over = True
        await super().unsubscribe_user_data_stream()
