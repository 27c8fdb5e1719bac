"""The loopback exchange: Binance USDT-M as the engine's adapter speaks it, on 127.0.0.1, with faults on demand.

Nothing is imported here, so that commands which only name the venue never pay for a web server.
"""
