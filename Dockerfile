# docker build -t ingressd:0.1.0 .
#
# 3.12: from 3.13 on, Python by default refuses cluster CAs without the extensions RFC 5280 asks for, and many lack them.
ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY ingressd ingressd
# What to install is written in pyproject.toml and nowhere else. The environment has no pip of its own, and its byte code
# is compiled now, because the root file system is read-only where it runs.
RUN python -m venv --without-pip /opt/ingressd \
 && pip --python /opt/ingressd/bin/python install --no-cache-dir --compile .

FROM python:${PYTHON}-slim
# What the base brings for building is of no use to a proxy, but of some to an intruder.
RUN pip uninstall --yes pip
COPY --from=build /opt/ingressd /opt/ingressd
# The preStop hook of ingress-nginx's chart. SIGTERM alone drains here, so there is nothing to wait for before it.
RUN ln -s /bin/true /wait-shutdown
ENV PATH=/opt/ingressd/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 65532:65532
# Ports 80 and 443 need no privilege here: container engines let everyone bind them (net.ipv4.ip_unprivileged_port_start),
# and deploy/ asks Kubernetes for the same.
EXPOSE 80 443 10254
STOPSIGNAL SIGTERM
ENTRYPOINT ["ingressd"]
CMD ["run"]
