"""The report: one file that needs nothing else, and in which no text of anybody's becomes markup."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from adapterkit.evaluation.paired import PairedChange
from adapterkit.evaluation.report.page import render_report
from adapterkit.evaluation.report.view import Story, interval_of
from adapterkit.lineage import BaseIdentity, Lineage, LineageMember
from adapterkit.manifest import BaseRecord, DataRecord, Manifest, RecipeRecord
from adapterkit.manifest.records import AdapterShape
from adapterkit.names import AdapterRef, Version
from adapterkit.texts import duration
from adapterkit.workflows.train import train
from tests.evaluation.test_series import history
from tests.workflows.tiny import Workshop

EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7 * 7 }}&amp;"
VOID = {"meta", "img", "path"}
TEST = PairedChange(before=3.5, after=3.4, change=-0.08, ci95_low=-0.09, ci95_high=-0.06, rows=53, tokens=4210)


class Page(HTMLParser):
    """Elements, attributes and text of a page; what is opened must be closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def story(text: str = "plain") -> Story:
    """A story in which every text that is anybody's holds the given one."""
    base = BaseIdentity(f"base {text}", None, "a" * 64, {"kind": text})
    members = [
        LineageMember(AdapterRef.parse(ref), digest * 64) for ref, digest in (("u@1.0.0", "b"), ("p@1.2.0", "c"))
    ]
    manifest = Manifest(
        name="p",
        version=Version.parse("1.2.0"),
        created=text,
        run_key="d" * 64,
        weights_digest="c" * 64,
        lineage=Lineage(base, tuple(members)),
        base=BaseRecord(base, "e" * 64, "e" * 64, 1325),
        data=DataRecord(f"source {text}", "f" * 64, 412, 48213, {text: text}),
        adapter=AdapterShape(8, 16.0, (text, "q_proj"), text, 1000, 4000),
        metrics={text: 1.0, "seconds": 191.2, "tokens_per_second": 291.4, "steps": 60.0, "validation_loss": 3.5},
        environment={text: text, "threads": 2},
        description=f"description {text}",
        tags=(text,),
        recipe=RecipeRecord(None, (text,), None, {"x": "y"}, None, "0" * 64, "1" * 64, None, 1),
    )
    return Story(manifest, "9" * 64, {text: text}, history(60), TEST, {text: text})


def test_it_says_what_there_is_to_say() -> None:
    page = Page(render_report(story()))
    text = " ".join(page.text.split())
    for said in (
        "p@1.2.0", "description plain", "3.500", "3.400", "-0.0800", "-0.0900 to -0.0600", "53 rows", "1,325",
        "412 rows", "48,213 tokens", "u@1.0.0", "frozen parent", "Unchanged, bit for bit", "3 min 11 s",
        "all of the 95 % interval lies",
        *(digit * 64 for digit in "abcdef9"),
    ):  # fmt: skip
        assert said in text
    assert page.tags.count("svg") == 4
    assert "validation, best 3.5" in text


def test_no_text_of_anybodys_becomes_markup() -> None:
    plain, evil = Page(render_report(story())), Page(render_report(story(EVIL)))
    assert evil.tags == plain.tags
    assert [name for name, _ in evil.attributes] == [name for name, _ in plain.attributes]
    assert evil.text.count("<script>alert(1)</script>") >= 12
    assert "49" not in re.findall(r"\{\{.*?\}\}|\b49\b", evil.text)


def test_it_needs_nothing_else_and_runs_nothing() -> None:
    text = render_report(story(EVIL))
    page = Page(text)
    assert not {"script", "link", "iframe", "img", "object", "base", "form"} & set(page.tags)
    assert not {name for name, _ in page.attributes} & {"src", "href", "srcset", "action", "onclick", "onload"}
    assert not re.search(r"url\(|@import|javascript:", text)
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in page.attributes


@pytest.mark.parametrize("steps", [0, 1, 3, 10_000])
def test_a_history_of_any_length_makes_a_small_page(steps: int) -> None:
    told = dataclasses.replace(story(), history=history(steps), test=None)
    text = render_report(told)
    Page(text)
    assert len(text) < 150_000
    assert ("running mean" in text) == (steps == 10_000)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(-0.2, -0.1, "better"), (0.1, 0.2, "worse"), (-0.1, 0.2, "no difference"), (0.0, 0.0, "no diff")],
)
def test_the_verdict_is_the_intervals(low: float, high: float, said: str) -> None:
    shown = interval_of(dataclasses.replace(TEST, change=(low + high) / 2, ci95_low=low, ci95_high=high))
    assert shown.verdict.startswith(said)
    assert shown.better == (said == "better")
    assert 0 <= shown.low <= shown.middle <= shown.high <= 100
    assert 0 <= shown.zero <= 100


def test_durations() -> None:
    assert [duration(seconds) for seconds in (0.4, 59.4, 59.6, 252, 3600, 11100)] == [
        "1 s", "59 s", "1 min 00 s", "4 min 12 s", "1 h 00 min", "3 h 05 min",
    ]  # fmt: skip


def test_a_training_writes_it_beside_its_artifact_and_not_into_it(tiny_base_dir: Path, tmp_path: Path) -> None:
    shop = Workshop(tiny_base_dir, tmp_path)
    train(shop.config("unified"))
    secret = "hf_" + "Ab1" * 11
    config = shop.config("child", "unified", description=f"Said {EVIL} with {secret}")
    artifact = train(config).artifact
    text = (Path(config.output_dir) / "report.html").read_text("utf-8")
    page = Page(text)
    assert secret not in text
    assert "<script>alert(1)</script>" in page.text
    for said in ("child@1.0.0", "unified@1.0.0", artifact.digest, artifact.manifest.weights_digest, "adapterkit.load("):
        assert said in page.text
    assert not (artifact.path / "report.html").exists()
