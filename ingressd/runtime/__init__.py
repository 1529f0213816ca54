"""Processes, and the channels between them. Wires, starts, swaps and stops; what there is to decide is decided
elsewhere.

The parent: ``supervisor`` (signals, phases, who is replaced), ``children`` (how they start), ``preconditions``.

The control process: ``control`` is its rim. ``sources`` → ``configuration`` (store to snapshot, when ``holdoff`` says
so) → ``publish``; ``clusterwork`` writes back; ``view`` is what the admin server shows; ``kept_configuration`` is what
the parent keeps of it.

A worker: ``worker`` is its rim, ``worker_channel`` its end of the channel. ``building``, with ``backend_changes``,
``host_tls`` and ``everybody``, makes a change aside; ``retire`` lets go of what a swap leaves behind.

Between them: ``links`` (parent and child), ``channel`` (control process and worker), ``labels`` (what both call a
route).

Commands that end: ``offline`` (routes), ``check`` with ``report``.
"""
