"""One script per claim; each prints its figures and runs as ``python -m benchmarks.<name>``."""
