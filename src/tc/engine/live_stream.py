"""The user stream of a paper run's node, which does not give up.

The adapter asks once for a new listen key when its stream is back. Where the venue does not answer just then, it closes
the stream for good, says so in its log, and trades on without ever hearing of its orders again.
"""

from __future__ import annotations

import asyncio

from nautilus_trader.adapters.binance.websocket.user import BinanceUserDataWebSocketClient

PAUSE_S, PAUSE_S_MAX = 0.25, 2.0


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
