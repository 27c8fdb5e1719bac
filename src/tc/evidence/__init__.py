"""Read-only judgments over run directories: digests, reconciliation, comparison, reports."""
