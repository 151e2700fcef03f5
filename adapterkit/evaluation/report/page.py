"""Put a training's story on a page. The template escapes every text, since descriptions and names are anybody's."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from adapterkit.evaluation.report.view import (
    Story,
    charts_of,
    interval_of,
    lineage_of,
    proof_of,
    tables_of,
    tiles_of,
)


def render_report(story: Story) -> str:
    """One HTML page without scripts, links to elsewhere or files beside it.

    Args:
        story: what the training came to.
    """
    return _template().render(
        manifest=story.manifest,
        tiles=tiles_of(story),
        lineage=lineage_of(story.manifest),
        charts=charts_of(story.history),
        test=story.test,
        interval=interval_of(story.test) if story.test is not None else None,
        proof=proof_of(story.manifest),
        tables=tables_of(story),
        settings=story.settings,
        loading=story.loading,
        command=story.manifest.recipe.command_line if story.manifest.recipe is not None else None,
    )


@cache
def _template() -> Template:
    loader = PackageLoader("adapterkit.evaluation.report", "template")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("report.html.j2")
