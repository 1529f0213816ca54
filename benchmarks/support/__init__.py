"""What several benchmarks share: objects of a large cluster, a backend, the daemon under test, and figures."""
