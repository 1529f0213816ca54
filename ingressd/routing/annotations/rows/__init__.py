"""The rows, by topic: one constant each, so that ``values.get(backend.PROXY_READ_TIMEOUT)`` is statically an int.

What no code implements yet is ``not yet``; the change that implements it edits that word.
"""
