"""Clients of our own, each a process: what wrk and h2load do not do."""
