"""TeX between dollars becomes MathML while the site is built: no script, no font and no network to read it.

`pymdownx.arithmatex` finds the formulas, also where a `$` is none. Every browser of today draws MathML; a page of this
repository that is read as it is written shows the TeX.
"""

from __future__ import annotations

from html import escape, unescape
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert
from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor

_MARK = "arithmatex"


class MathematicsError(ValueError):
    """A formula cannot be set."""


def mathml(tex: str, *, block: bool) -> str:
    """A formula as MathML, with the TeX as its text for those who cannot see it.

    Args:
        tex: without dollars.
        block: on lines of its own.

    Raises:
        MathematicsError: it holds a command that is not known, which would be shown as it is written.
    """
    drawn = str(convert(tex, display="block" if block else "inline"))
    if "\\" in drawn:
        raise MathematicsError(f"latex2mathml does not know all of: {tex.strip()}. Write it with other commands.")
    return drawn.replace("<math ", f'<math alttext="{escape(" ".join(tex.split()), quote=True)}" ', 1)


class _Draw(Treeprocessor):
    def run(self, root: Element) -> None:
        for found in root.iter():
            if found.get("class") == _MARK and found.text:
                # arithmatex escapes for HTML, and writes \( ... \) within a line, \[ ... \] on lines of their own.
                tex = unescape(found.text)
                drawn = mathml(tex[2:-2], block=tex.startswith("\\["))
                found.text = self.md.htmlStash.store(drawn)


class MathematicsExtension(Extension):
    """Draws what arithmatex has found; it must be asked for with `generic = true`."""

    def extendMarkdown(self, md: Markdown) -> None:
        """Come after the patterns within lines (20), which find formulas, and before the tree becomes text."""
        md.registerExtension(self)
        md.treeprocessors.register(_Draw(md), "mathematics", 15)


def makeExtension(**settings: object) -> MathematicsExtension:
    """What markdown calls for the extension's name."""
    return MathematicsExtension(**settings)
