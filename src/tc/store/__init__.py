"""The nouns on disk: where runs live, how one is created, what its directory says about it."""
