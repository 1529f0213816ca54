"""Cluster objects in, status out: the only folder that speaks to the Kubernetes API or reads manifests.

From a cluster: ``client`` with ``credentials``; ``watch`` starts an ``informer`` for each ``scope``; ``listing``,
``lines`` and ``api`` read what it is sent. From files: ``survey`` and ``watcher`` find them, ``manifests`` keeps up
with them, ``manifest_file`` → ``document_texts`` → ``yaml_documents`` or ``json_documents`` → ``documents`` read them.
Either way ``wire`` → ``translate`` makes model objects, ``secrets`` drops what nobody needs, and ``store`` keeps the
newest.

Back to it: ``lease`` says who may write; ``status``, and ``events`` with ``correlation``. ``resolve`` is DNS.
"""
