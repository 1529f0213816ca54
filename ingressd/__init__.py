"""ingressd: a layer-7 reverse proxy and Kubernetes Ingress controller.

Two flows meet in ``routing``:

    config flow    cluster ─ kube/ ─ model/ ─ routing/compile ─▶ Snapshot          control process
    request flow   client ─ proxy/downstream ─ routing/table ─ policy/ ─ proxy/upstream ─ endpoint     workers

``kube`` reports objects, ``model`` holds what we understood of them, ``routing`` compiles them to a Snapshot and looks
routes up in the table built from it, ``http`` is the wire's vocabulary, ``policy`` what a route asks of a request,
``tls`` certificates, ``proxy`` the data path, ``runtime`` the processes, ``telemetry`` what is seen from outside.
The middle is pure functions over frozen values; sockets, clocks, processes and the cluster API are at the rim.
"""
