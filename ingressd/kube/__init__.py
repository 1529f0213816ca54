"""Cluster objects in, status out: the only folder that speaks to the Kubernetes API or reads manifests."""
