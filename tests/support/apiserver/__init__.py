"""A Kubernetes API server in one Python process, for tests: faithful where clients look, able to misbehave
on command.

How a request travels:

    server ─ request_info ─ authentication ─ faults ─┬─ discovery, openapi        what the server says of itself
                                                     ├─ verbs ─ admission ─ store one object: create … delete
                                                     └─ listing, watching         many objects; both read the history

`harness.ApiServer` starts the process and speaks to its control port; `python -m tests.support.apiserver`
is for people.
"""
