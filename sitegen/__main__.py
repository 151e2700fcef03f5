"""Write the pages that are read off the program: `python -m sitegen`, before the site is built."""

from __future__ import annotations

from pathlib import Path

from sitegen.commands import commands_page
from sitegen.index import index_page
from sitegen.settings import settings_page

# Outside of docs/: what is made anew each time must not look like a page that somebody may edit.
FOLDER = Path("build/pages")


def main() -> None:
    """Write each page that docs/reference includes."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, page in (("commands.md", commands_page), ("settings.md", settings_page), ("index.md", index_page)):
        (FOLDER / name).write_text(page(), encoding="utf-8")
        print(f"wrote {FOLDER / name}")


if __name__ == "__main__":
    main()
