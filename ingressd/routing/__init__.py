"""Where the flows meet: ClusterState is compiled to a Snapshot here, and requests find their Route here. Pure."""
