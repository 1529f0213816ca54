"""The wire's vocabulary: heads, targets, framing, hop-by-hop fields. Pure: bytes in, values or bytes out."""
