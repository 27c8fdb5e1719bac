"""Alerts: from the condition straight to the sinks, past every disk and every other sink."""
