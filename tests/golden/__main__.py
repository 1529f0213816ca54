"""Write the lower halves of the golden cases anew: all of them, or those named."""

import sys

from tests.golden.golden import CASES, render


def main() -> None:
    for name in sys.argv[1:] or sorted(CASES):
        case = CASES[name]
        case.path.write_text(case.with_expected(render(case)), encoding="utf-8")
        print(case.path)


if __name__ == "__main__":
    main()
