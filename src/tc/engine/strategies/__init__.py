"""Strategies that ship with the product: honest examples, not advice."""
