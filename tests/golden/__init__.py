"""Golden cases: manifests above a rule of dashes, below it what they compile to, as JSON.

Lines at the top that begin with ``# with`` say what the manifests cannot:

    # with watch_ingress_without_class: true           a field of RouteDefaults
    # with certificate default/shop-tls: a.com *.b.com a Secret holding a new certificate for these names
    # with resolved api.example.com: 192.0.2.1         what a name resolves to

After a change that is meant, write the lower halves anew and read the difference before committing it:

    python -m tests.golden [CASE…]
"""
