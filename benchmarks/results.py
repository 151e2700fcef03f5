"""Make docs/results.md and its drawings from what the benchmarks measured, and measure what is asked for.

python benchmarks/results.py                        the page, from benchmarks/measured
python benchmarks/results.py --measure merge,reading      these first; all: every benchmark, which takes hours
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from results_plots import PLOTS
from results_sections import SECTIONS, Section

HERE = Path(__file__).parent
MEASURED, DOCS = HERE / "measured", HERE.parent / "docs"


def main() -> None:
    """Measure, then write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", default="", help="names by commas, or all")
    arguments = parser.parse_args()
    words = {section.name: section.words for section in SECTIONS}
    here = dict.fromkeys(section.name for section in SECTIONS if not section.elsewhere)
    chosen = list(here) if arguments.measure == "all" else [name for name in arguments.measure.split(",") if name]
    if unknown := set(chosen) - set(words):
        sys.exit(f"No such benchmark: {', '.join(sorted(unknown))}. There are {', '.join(words)}.")
    for name in chosen:
        print(f"python benchmarks/{words[name]}", flush=True)
        script, *rest = words[name].split()
        command = [sys.executable, str(HERE / script), *rest, "--json", str(MEASURED / f"{name}.json")]
        subprocess.run(command, cwd=HERE.parent, check=True)
    (DOCS / "results.md").write_text(page(), encoding="utf-8")


def page() -> str:
    """The whole page; drawings are written beside it."""
    kept = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(MEASURED.glob("*.json"))}
    present = [section for section in SECTIONS if section.name in kept]
    lines = [
        "# Results",
        "",
        "Every figure here was measured by the command beside it, and is kept with its machine and versions in",
        "`benchmarks/measured`. `make results` measures all of them again, which takes hours, and writes this page;",
        "`make results ONLY=merge,reading` some of them.",
        "",
        *_table({"what": "{0}", "measured": "{1}", "by": "{2}"}, _figures(present, kept)),
    ]
    for section in present:
        lines += ["", *_section(section, kept[section.name])]
    return "\n".join(lines) + "\n"


def _figures(present: list[Section], kept: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (told, form.format(**kept[section.name]), f"[{section.title.lower()}](#{_anchor(section.title)})")
        for section in present
        for told, form in section.figures.items()
    ]


def _section(section: Section, report: dict[str, Any]) -> list[str]:
    machine, versions = report["machine"], report["versions"]
    held = ", ".join(f"{name} {found}" for name, found in versions.items() if found and name != "adapterkit")
    drawn = []
    if section.plot:
        name = f"images/{section.plot}.svg"
        (DOCS / "images").mkdir(exist_ok=True)
        PLOTS[section.plot](report, DOCS / name)
        drawn = ["", f"![{section.title}]({name})"]
    return [
        f"## {section.title}",
        "",
        section.about,
        *drawn,
        "",
        *_table(section.columns, report["results"]),
        "",
        f"`{report['command']}`, {report['measured']}, on {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['memory_gib']} GiB; {held}.",
    ]


def _table(columns: dict[str, str] | Any, rows: list[Any]) -> list[str]:
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    for row in rows:
        try:
            cells = [form.format(*row) if isinstance(row, tuple) else form.format(**row) for form in columns.values()]
        except KeyError:
            continue
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _anchor(title: str) -> str:
    return "".join(letter for letter in title.lower() if letter.isalnum() or letter in " -").replace(" ", "-")


if __name__ == "__main__":
    main()
