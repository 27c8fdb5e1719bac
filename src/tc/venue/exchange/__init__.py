"""The exchange itself, a pure state machine: commands and market events in, events out.

It reads no clock, no disk and no network. Every change of its state is one event; applying the events in
order to an empty state gives the same state again, whatever process does it.
"""
