"""The request flow: sockets, exchanges, pools. Knows routes and endpoints, never Kubernetes."""
