"""A strategy that walks every path an order can take through the engine, one step of its plan every few quotes."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, ClassVar

from nautilus_trader.config import StrategyConfig
from nautilus_trader.model.data import QuoteTick
from nautilus_trader.model.enums import OrderSide, OrderType, TriggerType
from nautilus_trader.model.events import OrderEvent, OrderInitialized
from nautilus_trader.model.identifiers import ExecAlgorithmId, InstrumentId
from nautilus_trader.trading.strategy import Strategy

QUOTES_A_STEP = 4


class EveryPathConfig(StrategyConfig, frozen=True):
    """What to trade, the steps in order, and the seconds an algorithm takes for an order."""

    instrument_id: InstrumentId
    plan: list[str]
    horizon_s: float = 2.0


class EveryPath(Strategy):
    """Steps are method names without `do_`; `name:argument` is handed to the hook. What happens is in `record`."""

    hook: ClassVar[Callable[[str], None]]
    finished: ClassVar[Callable[[], None]] = staticmethod(lambda: None)

    def __init__(self, config: EveryPathConfig) -> None:
        super().__init__(config)
        self.quotes = 0
        self.phase = "active"
        self.record: list[dict[str, Any]] = []
        self.labels: dict[str, str] = {}
        self.early = self.resting = None

    def on_start(self) -> None:
        """Subscribe."""
        self.instrument = self.cache.instrument(self.config.instrument_id)
        self.lot = self.instrument.make_qty(Decimal("0.010"))
        self.subscribe_quote_ticks(self.config.instrument_id)

    def on_quote_tick(self, tick: QuoteTick) -> None:
        """Take the next step of the plan."""
        self.price = tick.bid_price.as_double()
        self.quotes += 1
        step, rest = divmod(self.quotes, QUOTES_A_STEP)
        if rest or step > len(self.config.plan) + 1:
            return
        if step == len(self.config.plan) + 1:
            type(self).finished()
            return
        name = self.config.plan[step - 1]
        if ":" in name:
            type(self).hook(name)
            self.phase = name.partition(":")[2] or self.phase
        else:
            getattr(self, f"do_{name}")()

    def send(self, label: str, *orders: Any) -> None:
        """Label the orders by phase and path, and send them alone or as a list."""
        for order in orders:
            self.labels[order.client_order_id.value] = f"{self.phase}/{label}"
        if len(orders) == 1:
            self.submit_order(orders[0])
        else:
            self.submit_order_list(self.order_factory.create_list(list(orders)))

    def on_order_event(self, event: OrderEvent) -> None:
        """Keep what happened to an order once it was sent."""
        if isinstance(event, OrderInitialized):
            return
        order = self.cache.order(event.client_order_id)
        spawned_by = None if order is None or order.exec_spawn_id is None else order.exec_spawn_id.value
        label = self.labels.get(event.client_order_id.value) or self.labels.get(spawned_by) or f"{self.phase}/closing"
        reason = getattr(event, "reason", None)
        self.record.append({"phase": self.phase, "label": label, "type": type(event).__name__, "reason": reason})

    def market(self, side: OrderSide, lots: int = 1, **more: Any) -> Any:
        """Return a market order."""
        quantity = self.instrument.make_qty(self.lot.as_decimal() * lots)
        return self.order_factory.market(self.config.instrument_id, side, quantity, **more)

    def far(self, distance: float = -0.2) -> Any:
        """Return a limit order to buy far below the market."""
        price = self.instrument.make_price(self.price * (1 + distance))
        return self.order_factory.limit(self.config.instrument_id, OrderSide.BUY, self.lot, price)

    def do_market(self) -> None:
        """Submit plainly."""
        self.send("market", self.market(OrderSide.BUY, 5))

    def do_rest(self) -> None:
        """Leave a limit order in the market."""
        self.resting = self.far()
        self.send("rest", self.resting)

    def do_list(self) -> None:
        """Submit a list of independent orders."""
        self.send("list", self.far(-0.25), self.far(-0.3))

    def do_bracket(self) -> None:
        """Submit an entry with stop and target."""
        orders = self.order_factory.bracket(
            self.config.instrument_id, OrderSide.BUY, self.lot,
            sl_trigger_price=self.instrument.make_price(self.price * 0.5),
            tp_price=self.instrument.make_price(self.price * 1.5),
        )  # fmt: skip
        for order in orders.orders:
            self.labels[order.client_order_id.value] = f"{self.phase}/bracket"
        self.submit_order_list(orders)

    def emulated(self, label: str) -> Any:
        """Submit a stop order that the engine's emulator holds until the price has risen."""
        trigger = self.instrument.make_price(self.price + 1000)
        order = self.order_factory.stop_market(
            self.config.instrument_id, OrderSide.BUY, self.lot, trigger, emulation_trigger=TriggerType.BID_ASK
        )
        self.send(label, order)
        return order

    def do_emulated(self) -> None:
        """Submit an emulated order."""
        self.emulated("emulated")

    def do_early(self) -> None:
        """Submit the emulated order that is released in the next phase."""
        self.early = self.emulated("early")

    def do_emulated_bracket(self) -> None:
        """Submit a bracket whose entry the emulator holds, with children that wait for it."""
        orders = self.order_factory.bracket(
            self.config.instrument_id, OrderSide.BUY, self.lot,
            entry_trigger_price=self.instrument.make_price(self.price + 1000),
            entry_price=self.instrument.make_price(self.price + 5000),
            entry_order_type=OrderType.STOP_LIMIT,
            sl_trigger_price=self.instrument.make_price(self.price * 0.5),
            tp_price=self.instrument.make_price(self.price * 1.5),
            emulation_trigger=TriggerType.BID_ASK,
        )  # fmt: skip
        for order in orders.orders:
            self.labels[order.client_order_id.value] = f"{self.phase}/emulated_bracket"
        self.submit_order_list(orders)

    def do_algorithm(self) -> None:
        """Hand an order to an execution algorithm that sends it in parts."""
        order = self.market(
            OrderSide.BUY, 2, exec_algorithm_id=ExecAlgorithmId("TWAP"),
            exec_algorithm_params={"horizon_secs": self.config.horizon_s, "interval_secs": self.config.horizon_s / 2},
        )  # fmt: skip
        self.send("algorithm", order)

    def do_modify(self) -> None:
        """Move the resting order."""
        self.labels[self.resting.client_order_id.value] = f"{self.phase}/modify"
        self.modify_order(self.resting, price=self.instrument.make_price(self.price * 0.8 + self.quotes))

    def do_cancel(self) -> None:
        """Cancel the resting order."""
        self.labels[self.resting.client_order_id.value] = f"{self.phase}/cancel"
        self.cancel_order(self.resting)

    def do_reduce(self) -> None:
        """Sell a part of the position, not reduce-only."""
        self.send("reduce", self.market(OrderSide.SELL))

    def do_flip(self) -> None:
        """Sell far more than the position."""
        self.send("flip", self.market(OrderSide.SELL, 1000))

    def do_close_all(self) -> None:
        """Close by the engine's own helper."""
        self.close_all_positions(self.config.instrument_id)

    def do_market_exit(self) -> None:
        """Leave by the engine's own exit."""
        self.market_exit()

    def do_wait(self) -> None:
        """Let events settle."""

    def do_lift(self) -> None:
        """Wait for the price to have risen, which is the world's part."""
        type(self).hook("lift")

    def holding(self) -> str:
        """Return what is held and still open, for the test."""
        held = sum(position.signed_decimal_qty() for position in self.cache.positions_open(strategy_id=self.id))
        return str(held)

    def on_reset(self) -> None:
        """Nothing is kept."""
