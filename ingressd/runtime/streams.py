"""Standard streams that are there, whoever started us."""

import os
import sys


def open_standard_streams() -> None:
    """Put /dev/null where one is closed: else a socket gets the number that lines are written to."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")
