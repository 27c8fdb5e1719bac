"""TradingChassis: flight simulator and black box for NautilusTrader strategies."""

__version__ = "0.1.0"
