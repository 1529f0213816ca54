"""ingressd beside nginx, HAProxy, Envoy, Caddy and a naive aiohttp proxy: the same routes, the same load, one worker.

    python -m benchmarks.peers --quick | --long | --check | --profile | --publish FILE

``config/README.md`` says what was made equal and what could not be; ``docs/performance.md`` how it is measured.

    guard.py       nothing we started outlives us         plan.py      which loads, on which variant, how long
    site.py        certificates, bodies, the backend      measure.py   a round: load, CPU, what else ran
    proxies.py     every peer: configured, started        check.py     does each peer really forward?
    load.py        wrk, h2load and our clients            tables.py    results → Markdown
    accounting.py  CPU and memory of a process tree       profile.py   where the time goes
"""
