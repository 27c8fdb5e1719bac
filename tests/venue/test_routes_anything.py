"""Every endpoint with any parameters: an answer or a refusal, never an exception, and the books stay whole."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from support.sample import scaled
from support.venue_lab import BTC, D, Lab
from tc.clock import SYSTEM_CLOCK
from tc.venue.desk import Desk
from tc.venue.exchange.export import export_state
from tc.venue.exchange.order import ALGO_TYPES, ORDER_TYPES, TIMES_IN_FORCE
from tc.venue.exchange.refusal import Refusal
from tc.venue.history import RelayedHistory
from tc.venue.server.app import ROUTES
from tc.venue.server.call import Call, Site, answer
from tc.venue.server.fault import FaultBook
from tc.venue.server.hub import Hub
from tc.venue.server.parameter import Parameters
from tc.venue.server.rate_limit import Limits
from tc.venue.server.user_message import user_messages
from tc.venue.setting import AccountSetting

WORDS = {
    "symbol": st.sampled_from((BTC, BTC, BTC, "ETHUSDT", "NOPE")),
    "side": st.sampled_from(("BUY", "SELL", "buy")),
    "type": st.sampled_from((*ORDER_TYPES, *ORDER_TYPES, *ALGO_TYPES, "ICEBERG")),
    "timeInForce": st.sampled_from((*TIMES_IN_FORCE, "DAY")),
    "quantity": st.sampled_from(("0.010", "0.5", "1e3", "-1", "0", "NaN", "1e-400", "9" * 40)),
    "price": st.sampled_from(("39000.0", "41000.0", "40000", "0.001", "Infinity", "x")),
    "triggerPrice": st.sampled_from(("39000.0", "41000.0", "x")),
    "callbackRate": st.sampled_from(("1", "0.05", "50")),
    "activatePrice": st.sampled_from(("39000.0", "41000.0")),
    "reduceOnly": st.sampled_from(("true", "False", "perhaps")),
    "closePosition": st.sampled_from(("true", "false")),
    "newClientOrderId": st.sampled_from(("a", "b", "c", "a b", "x" * 50)),
    "clientAlgoId": st.sampled_from(("a", "d", "e")),
    "origClientOrderId": st.sampled_from(("a", "b", "auto-1000001")),
    "orderId": st.sampled_from(("1000001", "1000002", "0", "-5", "x", "9" * 30)),
    "algoId": st.sampled_from(("1000001", "1000003", "x")),
    "orderIdList": st.sampled_from(("[1000001,1000002]", "[", "[]", "{}", '["x"]', "[[1]]")),
    "origClientOrderIdList": st.sampled_from(('["a","b"]', "[null]")),
    "batchOrders": st.sampled_from(
        ('[{"symbol":"BTCUSDT","side":"BUY","type":"MARKET","quantity":"0.01"}]', "[1]", "{")
    ),
    "startTime": st.sampled_from(("0", "1700000000000", "9" * 18, "-9", "x")),
    "endTime": st.sampled_from(("0", "9" * 18)),
    "limit": st.sampled_from(("0", "5", "-5", "9999999")),
    "leverage": st.sampled_from(("1", "10", "999")),
    "countdownTime": st.sampled_from(("0", "5", "-5")),
    "goodTillDate": st.sampled_from(("0", "1700000000500")),
    "interval": st.sampled_from(("1m", "7m")),
    "positionSide": st.sampled_from(("BOTH", "LONG")),
    "dualSidePosition": st.sampled_from(("true", "false")),
    "marginType": st.sampled_from(("CROSSED", "ISOLATED")),
    "incomeType": st.sampled_from(("COMMISSION", "x")),
    "page": st.sampled_from(("0", "2")),
    "fromId": st.sampled_from(("0", "5000001")),
}
OWNER = AccountSetting("alice", "key", "secret", D(0), can_withdraw=False)
routes = st.sampled_from(sorted(ROUTES))
MORE = {
    name: WORDS[name]
    for name in ("newClientOrderId", "reduceOnly", "orderId", "origClientOrderId", "algoId", "orderIdList")
}
USUAL = {
    "symbol": st.just(BTC),
    "side": st.sampled_from(("BUY", "SELL")),
    "timeInForce": st.sampled_from(("GTC", "GTC", "IOC", "GTX")),
    "quantity": st.sampled_from(("0.010", "0.020")),
    "price": st.sampled_from(("39000.0", "39500.0", "41000.0")),
    "triggerPrice": st.sampled_from(("39000.0", "41000.0")),
    "callbackRate": st.just("1"),
}
words_of = (
    st.fixed_dictionaries({}, optional=WORDS)
    | st.fixed_dictionaries({**USUAL, "type": st.sampled_from(ORDER_TYPES)}, optional=MORE)
    | st.fixed_dictionaries({**USUAL, "type": st.sampled_from(ALGO_TYPES)}, optional=MORE)
)
often = st.sampled_from([key for key in sorted(ROUTES) if key[1].endswith(("order", "algoOrder", "batchOrders"))])
requests = st.lists(st.tuples(routes | often | st.just(("POST", "/fapi/v1/order")), words_of), max_size=30)


class Nowhere:
    """Keeps nothing."""

    def record(self, events: Any) -> None:
        """Drop events."""


@settings(max_examples=scaled(150, 2000))
@given(requests)
def test_any_request_is_answered_or_refused(made: list[tuple[tuple[str, str], dict[str, str]]]) -> None:
    """Whatever is sent to whatever endpoint, the answer is JSON, and income still sums up to the wallet."""
    lab = Lab(partial_fill=D("0.5"))
    desk = Desk(lab.exchange, Nowhere(), SYSTEM_CLOCK)
    faults = FaultBook()
    site = Site(desk, Hub(desk, faults), faults, {name: RelayedHistory("1m") for name in desk.state.markets}, Limits())
    for route, words in made:
        result = answer(ROUTES[route], Call(site, OWNER, Parameters(words), lab.now()))
        assert isinstance(result, Refusal) or json.dumps(result)
        for _, message in user_messages(desk.commit(), desk.state):
            assert json.dumps(message)
        lab.exchange.trade(BTC, D("40000.0"), D(1), lab.now(), is_buyer_maker=True)
    assert json.dumps(export_state(desk.state))
    assert sum((income.amount for income in lab.alice.incomes), Decimal(0)) == lab.alice.wallet
