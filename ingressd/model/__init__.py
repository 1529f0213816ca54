"""What we understood of the cluster: frozen values, no behaviour."""
