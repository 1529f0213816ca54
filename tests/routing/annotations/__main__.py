"""Write docs/annotations.md anew from the registry."""

from pathlib import Path

from ingressd.routing.annotations.page import page

PAGE = Path(__file__).parents[3] / "docs" / "annotations.md"


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
