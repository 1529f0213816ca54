"""What is seen from outside: metrics, the access log, the admin server."""
