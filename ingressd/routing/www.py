"""The sibling of a host for ``from-to-www-redirect``."""


def sibling(host: str) -> str:
    """With ``www.`` in front, or without it where it was."""
    return host.removeprefix("www.") if host.startswith("www.") else f"www.{host}"
