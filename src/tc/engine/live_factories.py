"""What makes the clients of a live node: both share one HTTP client and one instrument provider."""

from __future__ import annotations

from typing import Any

from nautilus_trader.adapters.binance.common.enums import BinanceEnvironment
from nautilus_trader.adapters.binance.futures.data import BinanceFuturesDataClient
from nautilus_trader.adapters.binance.futures.providers import BinanceFuturesInstrumentProvider
from nautilus_trader.adapters.binance.http.client import BinanceHttpClient
from nautilus_trader.live.factories import LiveDataClientFactory, LiveExecClientFactory
from nautilus_trader.model.identifiers import Venue

from tc.engine.live_client import ACCOUNT_TYPE, LiveHooks, PaperExecutionClient
from tc.engine.live_http import LoopbackHttp
from tc.engine.live_stream import reconnect_soon
from tc.model.endpoint import ApiKeys


def client_factories(
    http: LoopbackHttp, hooks: LiveHooks, keys: ApiKeys
) -> tuple[type[LiveDataClientFactory], type[LiveExecClientFactory]]:
    """Return the factories of one node's data and execution client."""
    reconnect_soon()
    shared: dict[str, Any] = {}

    def parts(config: Any, clock: Any) -> tuple[BinanceHttpClient, BinanceFuturesInstrumentProvider]:
        if not shared:
            client = BinanceHttpClient(clock, keys.api_key, keys.api_secret, config.base_url_http)
            client._client = http
            shared["client"] = client
            shared["provider"] = BinanceFuturesInstrumentProvider(
                client=client, clock=clock, account_type=ACCOUNT_TYPE, config=config.instrument_provider,
                venue=Venue("BINANCE"),
            )  # fmt: skip
            for api in (shared["provider"]._http_account, shared["provider"]._http_wallet):
                api._timestamp = http.timestamp
        return shared["client"], shared["provider"]

    class PaperDataFactory(LiveDataClientFactory):
        @staticmethod
        def create(loop: Any, name: str, config: Any, msgbus: Any, cache: Any, clock: Any) -> Any:
            client, provider = parts(config, clock)
            return BinanceFuturesDataClient(
                loop=loop, client=client, msgbus=msgbus, cache=cache, clock=clock, instrument_provider=provider,
                account_type=ACCOUNT_TYPE, base_url_ws=config.base_url_ws, name=name, config=config,
                base_url_ws_public=config.base_url_ws,
            )  # fmt: skip

    class PaperExecFactory(LiveExecClientFactory):
        @staticmethod
        def create(loop: Any, name: str, config: Any, msgbus: Any, cache: Any, clock: Any) -> Any:
            client, provider = parts(config, clock)
            return PaperExecutionClient(
                hooks, http, loop=loop, client=client, msgbus=msgbus, cache=cache, clock=clock,
                instrument_provider=provider, base_url_ws=config.base_url_ws, account_type=ACCOUNT_TYPE, name=name,
                config=config, environment=BinanceEnvironment.LIVE, api_key=keys.api_key, api_secret=keys.api_secret,
            )  # fmt: skip

    return PaperDataFactory, PaperExecFactory
