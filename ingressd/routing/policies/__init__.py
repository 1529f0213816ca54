"""Typed annotation values → what routes ask for (``policy/policies.RoutePolicies``): a module for each topic. Pure.

``build`` puts the topics together for one path, ``hosts`` says what one Ingress asks for a whole host, ``overall`` what
the ConfigMap asks for every connection. What cannot be built as it was asked for is a finding; where it was to keep
somebody out, the paths are denied.
"""
