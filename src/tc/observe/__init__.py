"""Metrics of every run, for Prometheus: one renderer, an index of finished runs, and a server that nobody can stall."""
