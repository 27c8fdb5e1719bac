"""The frozen nouns of the product; no disk, no engine, no clock."""
