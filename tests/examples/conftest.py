"""Examples of the documentation: tests/test_docs.py runs them, each in a folder of its own."""

# Some fail on purpose, and some are the same module in several versions.
collect_ignore_glob = ["*"]
