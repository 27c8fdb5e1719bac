"""The only room that knows NautilusTrader: everything that crosses its door is a plain noun of ours."""

from tc.engine.quick_load import install

install()
