"""The exchange over the wire: Binance USDT-M REST, market and user streams, and the control port."""
