"""What is seen from outside: metrics, the access log, the admin server.

In workers: ``metrics`` counts, ``report`` is what they tell; ``access_log`` with ``log_format`` and ``log_variables``
makes lines, ``thread_writer`` and ``pipe_writer`` write them. In the control process: ``totals`` adds reports up,
``exposition`` is ``/metrics`` with ``text``, ``families``, ``nginx_names`` and ``processes``; ``admin`` serves it.
"""
