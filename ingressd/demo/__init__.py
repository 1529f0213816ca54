"""A small town to try ingressd on: sample backends on loopback, manifests that route to them, and lines to paste."""

from ingressd.demo.backends import run_backends, serve_backends
from ingressd.demo.plan import DemoPlan, prepare

__all__ = ["DemoPlan", "prepare", "run_backends", "serve_backends"]
