"""The request flow: sockets, exchanges, pools. Knows routes and endpoints, never Kubernetes.

In: ``listener``; ``proxy_protocol``; ``tls_transport`` with ``tls_sending``, ``verified_tls`` (who speaks TLS, how),
``passthrough``; then ``downstream``, with ``request_head`` and ``provenance``. ``patience`` and ``admission`` bound it.

Past a gate or through it: ``shortcut``; else ``held`` takes a request, as a ``passage``, through the ``steps`` of its
route's ``gate``. Behind steps: ``access`` with ``external_auth``, ``password_checks`` and ``password_checker``;
``limiting`` with ``shared_limits``.

On: ``exchange`` decides and ``forward`` does it, with ``request_body``, ``splicing`` and ``tunnel``; ``onward`` words
the head. Routes that ask for more have ``observed``, ``tended``, ``shaped`` (with ``outlet``, ``encoding``, ``pacing``)
or ``planned``.

To endpoints: ``balance``, ``choosing``, ``keyed`` and ``health`` pick one, ``pool`` lends a connection, ``upstream``
speaks with it, over ``upstream_tls`` where asked to; ``unheard`` knows what it cannot have got.

Back: ``response_rules``; ``respond`` for answers of our own; ``records`` for log and metrics.

Shared by all of a worker: ``gateway``, ``serving`` (what is served now), ``materials``, ``services``, ``limits``,
``timers``. Beside requests: ``subrequest``, ``mirroring``, ``resolver``, ``moment``.
"""
