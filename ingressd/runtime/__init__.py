"""Processes: supervisor, control process, workers, and the channels between them. Wires, starts, swaps, stops."""
