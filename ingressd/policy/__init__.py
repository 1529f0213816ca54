"""What a route asks of a request: one file each, frozen settings beside the function that applies them. Pure."""
