"""Where the flows meet: ClusterState is compiled to a Snapshot here, and requests find their Route here. Pure.

``compile`` names the stages. One Ingress on its own: ``reading`` makes ``claims`` of it, with ``annotations`` (texts to
values), ``policies`` (values to what a route asks), ``declared`` (hosts and paths) and ``tls_entries``; ``versions``
says which version counts. Several about one host: ``precedence``, with ``hostwide`` and ``canaries``. Of all together:
``names``, ``backends`` with ``endpoints`` and ``addresses``, ``certificates`` with ``tls_secrets``, ``materials``.
``memo`` is what the next compile need not do again.

``migration`` and ``spill`` are what ``ingressd check`` says besides.

What travels to workers: ``snapshot``, and ``delta`` of two of them. There, ``table`` finds routes; ``match`` is how it
must, in plain words.
"""
