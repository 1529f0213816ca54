"""Raw messages as data: what clients and endpoints may throw at us, and what must come of it.

``requests_*`` and ``responses_*`` hold the cases by topic, ``case`` says what a case is, ``wires`` runs one in memory
and ``reading`` is the second opinion (h11) on whatever left ingressd.
"""
