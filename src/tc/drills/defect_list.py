"""The defects that are known, each with the steps that show it."""

from __future__ import annotations

from decimal import Decimal

from tc.drills.defect import Defect, Showing, wrong_by
from tc.drills.verdict import Threshold
from tc.errors import NotFound

SIZE = Decimal("0.010")
AWAY = 1_000
"""So far the market moves meanwhile, in USDT."""
RETRIES = {"max_retries": 3, "retry_delay_initial_ms": 200, "retry_delay_max_ms": 2_000}
NETTED = {"oms_type": "NETTING"}
WORKING = ("NEW", "PARTIALLY_FILLED")
HANG_S = 40
PATIENCE_S = 20.0
FROZEN_S = 7


def double_fills(x: Showing) -> None:
    """A position is open, the user stream is cut once and comes back."""
    x.lab.bought()
    x.fault("cut", target="user")
    x.lab.until(lambda: x.lab.books().gross != SIZE, 8.0)
    x.lab.pause(2.0)
    books = x.look("after one reconnect")
    wrong_by(x, "positions in the engine's books that the venue has not", books.gross - abs(books.held), books.price)
    x.measure("unknown", abs(books.held - books.net))


def reject_after_fill(x: Showing) -> None:
    """An order is executed, its answer is a 503, and the adapter sends it again: -4116, duplicate id."""
    x.fault("lost_ack", how="503", count=1)
    x.lab.node("market", side="BUY", quantity=str(SIZE), resends=1)
    x.lab.until(lambda: len(x.lab.venue.truth().document["fills"]) >= 2, 6.0)
    x.lab.pause(1.0)
    books = x.look("after the lost answer")
    rejects = len(books.heard("OrderRejected"))
    x.mark(f"the strategy heard {rejects} rejects of orders that are filled, and sent what was rejected once more")
    wrong_by(x, "held at the venue beyond what the strategy wanted", books.held - SIZE, books.price)


def phantom_reject(x: Showing) -> None:
    """An order is executed, the answer is an HTML page of something in between, its messages are lost."""
    x.fault("lost_ack", how="502html", count=1)
    x.fault("drop", event="ORDER_TRADE_UPDATE", count=2)
    x.lab.node("market", side="BUY", quantity=str(SIZE))
    x.lab.until(lambda: x.lab.books().net == SIZE, 12.0)
    books = x.look("twelve seconds later")
    wrong_by(x, "held at the venue, unknown to the engine", abs(books.held - books.net), books.price)


def late_execution(x: Showing) -> None:
    """The venue answers nothing for seven seconds, longer than the order is good for; the market moves meanwhile."""
    asked = x.lab.price()
    x.fault("stall", target="http")
    x.lab.node("market", side="BUY", quantity=str(SIZE))
    since = x.mark("the order is sent")
    x.lab.pause(FROZEN_S)
    x.lab.move(AWAY)
    x.fault("stall", target="http", on=False)
    x.lab.until(lambda: x.lab.venue.truth().net(), 5.0)
    books = x.look("after the freeze")
    x.measure("seconds", x.lab.now - since if books.held else 0.0)
    x.measure("position", books.held)
    x.measure("loss", books.held * (books.price - asked))


def no_timeout(x: Showing) -> None:
    """A fill is not told, which the engine's checks find; then one question of theirs is never answered."""
    x.fault("drop", event="ORDER_TRADE_UPDATE", execution="TRADE", count=1)
    since = x.lab.now
    x.lab.node("market", side="BUY", quantity=str(SIZE))
    if x.lab.until(lambda: x.lab.books().net == SIZE, PATIENCE_S) is None:
        x.mark("the checks did not find it while everything was answered: what follows shows nothing")
        return
    x.measure("found", x.lab.now - since)
    x.fault("http", method="GET", path="positionRisk", count=1, hang_s=HANG_S)
    x.lab.pause(6.0)  # the engine asks every few seconds: now it waits
    x.fault("drop", event="ORDER_TRADE_UPDATE", execution="TRADE", count=1)
    x.lab.node("market", side="BUY", quantity=str(SIZE))
    x.lab.until(lambda: x.lab.books().net == 2 * SIZE, PATIENCE_S)
    books = x.look("while one question is not answered")
    wrong_by(x, "held at the venue, unknown to the engine", abs(books.held - books.net), books.price)


def blind_for_good(x: Showing) -> None:
    """The user stream is cut, and the listen key not given just then; later a resting order fills."""
    price = x.lab.price() - AWAY
    name = x.lab.node("limit", side="BUY", quantity=str(SIZE), price=str(price))
    x.lab.until(lambda: [one for one in x.lab.venue.truth().working() if one == name])
    x.fault("http", method="POST", path="listenKey", count=1, status=500, code=-1000)
    x.fault("cut", target="user")
    x.lab.pause(5.0)
    x.fault("clear")
    x.lab.move(-2 * AWAY)
    x.lab.until(lambda: x.lab.venue.truth().net(), 5.0)
    x.lab.until(lambda: x.lab.books().net == SIZE, 10.0)
    books = x.look("ten seconds after the order filled")
    wrong_by(x, "held at the venue, unknown to the engine", abs(books.held - books.net), books.price)
    x.measure("loss", (price - books.price) * abs(books.held - books.net))


def fee_forgotten(x: Showing) -> None:
    """The message of a fill is lost; the engine learns of it by the order's report, and makes the fill up."""
    x.fault("drop", event="ORDER_TRADE_UPDATE", count=2)
    x.lab.node("market", side="BUY", quantity=str(SIZE))
    x.lab.until(lambda: x.lab.books().net == SIZE, 15.0)
    books = x.look("once the engine has the fill")
    believed, paid = books.fees
    if books.net == SIZE:
        x.mark(f"charged {paid} USDT, {believed} in the engine's books")
        x.measure("fee", abs(paid - believed))


def others_canceled(x: Showing) -> None:
    """A human's order rests on the account, unheard of; the strategy cancels all orders of its own."""
    x.fault("drop", event="ORDER_TRADE_UPDATE", count=1)
    price = x.lab.price() - AWAY
    x.lab.human(
        side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.050", price=str(price), newClientOrderId="human"
    )
    name = x.lab.node("limit", side="BUY", quantity=str(SIZE), price=str(price))
    x.lab.until(lambda: name in x.lab.venue.truth().working() and x.lab.books().heard("OrderAccepted"))
    x.lab.node("cancel_all")
    x.lab.until(lambda: name not in x.lab.venue.truth().working())
    books = x.look("after cancel-all")
    (human,) = (one for one in books.truth.orders if one["client_order_id"] == "human")
    lost = Decimal("0.050") if human["status"] not in WORKING else Decimal(0)
    wrong_by(x, f"the human's order is {human['status']}", lost, price)


def position_an_order(x: Showing) -> None:
    """Bought and sold again on an account that nets; the strategy leaves its position model to the client."""
    x.lab.bought()
    x.lab.node("market", side="SELL", quantity=str(SIZE))
    x.lab.until(lambda: not x.lab.venue.truth().net())
    x.lab.pause(1.0)
    books = x.look("after selling what was bought")
    wrong_by(x, "open in the engine's books while the venue is flat", books.gross - abs(books.held), books.price)


def halted_holds(x: Showing) -> None:
    """Trading is halted with a position open, and the strategy closes it with an order that can only reduce."""
    x.lab.bought()
    bought_at = x.lab.price()
    x.mark(f"trading state: {x.lab.node('state', state='HALTED')}")
    x.lab.node("market", side="SELL", quantity=str(SIZE), reduce_only=True)
    x.lab.move(-AWAY)
    x.lab.until(lambda: not x.lab.venue.truth().net(), 5.0)
    books = x.look("after the closing order")
    wrong_by(x, f"denied: {len(books.heard('OrderDenied'))} closing orders", books.held, books.price)
    x.measure("loss", books.held * (bought_at - books.price))


def reducing_flips(x: Showing) -> None:
    """Trading is reducing, and the strategy sells three times what it holds."""
    x.lab.bought()
    x.mark(f"trading state: {x.lab.node('state', state='REDUCING')}")
    x.lab.node("market", side="SELL", quantity=str(3 * SIZE))
    x.lab.until(lambda: x.lab.venue.truth().net().get("BTCUSDT", SIZE) != SIZE, 5.0)
    books = x.look("after selling three times as much")
    wrong_by(x, "short at the venue", max(-books.held, Decimal(0)), books.price)


def _position(what: str, least: Decimal = SIZE) -> tuple[Threshold, ...]:
    return (
        Threshold("position", what, "BTC", least=float(least)),
        Threshold("value", "the same at the last price", "USDT", least=1.0),
    )


def _loss(what: str) -> Threshold:
    return Threshold("loss", what, "USDT", least=float(SIZE * AWAY) * 0.9)


_CHECKED = {"open_check_interval_secs": 2.0, "position_check_interval_secs": 3.0}
DEFECTS = (
    Defect(
        "double-fill-on-reconnect",
        "After each reconnect with a position open the adapter asks for the same fills twice, as BTCUSDT and as "
        "BTCUSDT-PERP, and the engine makes positions of the second ones.",
        double_fills,
        (
            *_position("positions in the engine's books that the venue does not have"),
            Threshold("unknown", "between what the venue holds and the engine's net position", "BTC", least=0.0),
        ),
        "`PaperExecutionClient._get_cache_active_symbols` names each symbol once.",
    ),
    Defect(
        "reject-after-fill",
        "An order whose answer was lost is sent again; the venue knows its id already (-4116), and the strategy is "
        "told that an order was rejected which is filled. Here it sends again what was rejected.",
        reject_after_fill,
        _position("held at the venue beyond what was wanted"),
        "`PaperExecutionClient.generate_order_rejected` takes a duplicate id for no reject; `LoopbackHttp` sends "
        "nothing again whose outcome is not known.",
        {**NETTED, "client": RETRIES},
    ),
    Defect(
        "phantom-reject",
        "An answer that is no answer of the venue (502 with HTML) counts as a reject, and the order as over; what it "
        "did at the venue is not looked for.",
        phantom_reject,
        _position("held at the venue, unknown to the engine"),
        "`LoopbackHttp` calls it unknown, and `Doubt` asks the venue until it answers.",
        NETTED,
    ),
    Defect(
        "late-execution",
        "An order that the venue took too late (-1021) is sent again with a new time: a market order of a market that "
        "is not there any more.",
        late_execution,
        (
            Threshold("seconds", "from the order until it was executed", "s", least=FROZEN_S),
            Threshold("position", "bought late", "BTC", least=float(SIZE)),
            _loss("paid more than when the order was sent"),
        ),
        "`LoopbackHttp` sends no order again that is older than its receive window.",
        {**NETTED, "client": RETRIES},
    ),
    Defect(
        "no-http-timeout",
        "Requests have no bound in time. The engine's checks ask one after the other: one answer that does not come "
        "ends them all, and a fill that was not told stays unknown.",
        no_timeout,
        (
            *_position(f"held at the venue, unknown to the engine, after {PATIENCE_S:g} s"),
            Threshold("found", "until the checks found such a fill while all was answered", "s", most=PATIENCE_S),
        ),
        "`LoopbackHttp` gives every request five seconds; `Doubt` asks apart from the engine's checks.",
        {**NETTED, "engine": _CHECKED},
    ),
    Defect(
        "blind-for-good",
        "Where the listen key is refused once while the user stream comes back, the adapter gives the stream up, and "
        "the node trades on without ever hearing of its orders.",
        blind_for_good,
        (*_position("held at the venue, unknown to the engine"), _loss("lost on it meanwhile")),
        "`PersistentUserStream` asks until it has a key and a stream.",
        NETTED,
    ),
    Defect(
        "fee-forgotten",
        "A fill that is learned of by an order's report is made up by the engine, without what the venue charged.",
        fee_forgotten,
        (Threshold("fee", "between the fee that was charged and the engine's", "USDT", least=0.001),),
        "`Doubt.send_fills` asks for the fills and tells them before the report.",
        NETTED,
    ),
    Defect(
        "others-canceled",
        "Where the engine knows of no other order, cancel-all of a strategy is the venue's cancel-all: it takes the "
        "orders of everybody else on the account too.",
        others_canceled,
        _position("of a human canceled by a strategy that never saw it", Decimal("0.050")),
        "`PaperExecutionClient._cancel_all_orders` cancels by id.",
        NETTED,
    ),
    Defect(
        "position-an-order",
        "With `use_position_ids: false` the adapter is HEDGING on an account that nets: selling what was bought closes "
        "nothing and opens another position.",
        position_an_order,
        _position("open in the engine's books while the venue is flat", 2 * SIZE),
        "`_NettingClient` makes it NETTING.",
        {"client": {"use_position_ids": False}},
    ),
    Defect(
        "halted-holds",
        "HALTED denies every new order, also one that can only reduce: a strategy cannot get out.",
        halted_holds,
        (*_position("held though its closing order was sent"), _loss("lost on it meanwhile")),
        "Stand-down lets through what reduces, and a kill closes at the venue itself.",
        NETTED,
        proof="the drill `kill-switch`",
    ),
    Defect(
        "reducing-flips",
        "REDUCING looks at the side alone: an order larger than the position turns it around.",
        reducing_flips,
        _position("short that trading state REDUCING let through", 2 * SIZE),
        "The gate sees the quantity: what goes through flat is no reduction.",
        NETTED,
        proof="`tests/risk/test_reduction.py`",
    ),
)


def find_defect(name: str) -> Defect:
    """Return the defect of that name.

    Raises:
        NotFound: there is none.
    """
    for one in DEFECTS:
        if one.name == name:
            return one
    raise NotFound(f"found no defect {name!r}; known are {', '.join(one.name for one in DEFECTS)}")
