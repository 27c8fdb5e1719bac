"""Pre-trade risk as pure functions: a book, an intent and limits go in, a decision comes out."""
