"""The use-cases: start a run, seal it, verify it, recover what was interrupted. Words in and out are the CLI's."""
