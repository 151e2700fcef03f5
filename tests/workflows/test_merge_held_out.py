"""What each source kept of its held-out loss: on its own test rows, read again, or on rows that are given."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest
import torch
from peft import PeftModel
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM

from adapterkit.base.load import load_tokenizer
from adapterkit.base.resident import release_resident_base
from adapterkit.config.merge_schema import HeldOutConfig, MergeConfig, MethodConfig
from adapterkit.config.schema import DataConfig
from adapterkit.errors import DataError, UsageError
from adapterkit.workflows import merge_trial
from adapterkit.workflows.merge import merge
from adapterkit.workflows.train import train
from tests.workflows.tiny import Workshop, write_chats

OTHERS = ("fox of the union", "lazy year", "helpful state", "dog of the people")


def begun(base, folder):
    """Two adapters with test rows of their own."""
    made = Workshop(base, folder)
    made.others = write_chats(folder / "others.jsonl", OTHERS)
    train(made.config("coder", max_steps=6))
    train(made.config("security", test=str(made.others), max_steps=6, seed=1))
    return made


@pytest.fixture(scope="module")
def workshop(tiny_base_dir, tmp_path_factory):
    return begun(tiny_base_dir, tmp_path_factory.mktemp("held_out"))


def asked(shop, name, **changes):
    plain = {"adapters": ["coder", "security"], "method": MethodConfig("average"), "device": "cpu"}
    return MergeConfig(
        name=name,
        test_decode_parity=False,
        registry=str(shop.registry.path),
        output_dir=str(shop.folder / "outputs" / name / str(len(shop.registry.versions(name)))),
        **{**plain, **changes},
    )


def chats(file, **changes):
    return DataConfig(reader="chat", test=str(file), max_length=256, **changes)


def held_out(outcome):
    return json.loads((outcome.artifact.path / "training_metrics.json").read_text("utf-8"))["held_out"]


def loss(shop, rows, artifact=None):
    """Nats a label token by plain transformers and PEFT, one row after another."""
    model = AutoModelForCausalLM.from_pretrained(shop.base, dtype=torch.float32)
    model = PeftModel.from_pretrained(model, artifact.path).eval() if artifact else model.eval()
    tokenizer, nats, tokens = load_tokenizer("base", shop.base), 0.0, 0
    for line in rows.read_text("utf-8").splitlines():
        messages = json.loads(line)["messages"]
        whole = tokenizer.apply_chat_template(messages, tokenize=False)
        start = whole.index(messages[-1]["content"])
        ids = tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True)
        learnt = [first >= start for first, _ in ids["offset_mapping"]]
        learnt[-1] = False  # the line break behind the end of the answer
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([ids["input_ids"]])).logits[0].double()
        targets = torch.tensor(ids["input_ids"])[1:]
        chosen = torch.tensor(learnt)[1:]
        nats += float(cross_entropy(logits[:-1][chosen], targets[chosen], reduction="sum"))
        tokens += int(chosen.sum())
    return nats / tokens


def test_each_source_is_measured_on_the_rows_that_it_was_tested_on(workshop):
    outcome = merge(asked(workshop, "both"))
    rows = {"coder": workshop.held_out, "security": workshop.others}
    for told, name in zip(held_out(outcome), rows, strict=True):
        source = workshop.registry.artifact(name)
        assert told["ref"] == str(source.ref)
        without, alone, merged = (loss(workshop, rows[name], each) for each in (None, source, outcome.artifact))
        assert told["loss_without"] == pytest.approx(without, abs=2e-5)
        assert told["loss_of_source"] == pytest.approx(alone, abs=2e-5)
        assert told["loss_of_merge"] == pytest.approx(merged, abs=2e-5)
        assert told["kept"] == pytest.approx((without - merged) / (without - alone), abs=1e-3)
        assert outcome.artifact.manifest.metrics[f"kept_{source.ref}"] == told["kept"]
        # A merge that trains on nothing tells what the training told.
        assert told["loss_of_source"] == pytest.approx(source.manifest.metrics["test_loss"], abs=1e-6)
    assert [each["rows"] for each in held_out(outcome)] == [3, 4]


@pytest.mark.parametrize(("scale", "harmed"), [(1.0, 0), (-3.0, 2)])
def test_a_merge_that_does_harm_is_told_source_by_source(workshop, caplog, scale, harmed):
    merge(asked(workshop, f"scaled_{harmed}", scale=scale))
    warnings = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert [line.partition(":")[0] for line in warnings] == [
        f"On rows of {name}@1.0.0, scaled_2@1.0.0 does harm" for name in ("coder", "security")
    ][:harmed]


def test_a_merge_of_one_is_called_what_it_is(workshop, caplog):
    merge(asked(workshop, "alone", adapters=["coder"]))
    assert "alone@1.0.0 is made of coder@1.0.0 alone: nothing was merged" in caplog.messages


def test_given_rows_are_those_of_all_sources(workshop):
    own = merge(asked(workshop, "given"))
    given = merge(asked(workshop, "given", data=chats(workshop.others)))
    assert str(given.artifact.ref) == "given@1.1.0"
    assert given.artifact.manifest.weights_digest == own.artifact.manifest.weights_digest
    first, second = held_out(given)
    assert first["loss_without"] == second["loss_without"] == held_out(own)[1]["loss_without"]
    assert first["data"] == second["data"] == str(workshop.others)
    assert second["loss_of_source"] == held_out(own)[1]["loss_of_source"]
    assert not merge(asked(workshop, "given", data=chats(workshop.others))).merged
    few = merge(asked(workshop, "given", data=chats(workshop.others), held_out=HeldOutConfig(max_rows=2)))
    assert [each["rows"] for each in held_out(few)] == [2, 2]


def test_rows_that_are_not_the_old_ones_are_not_measured_on(tiny_base_dir, tmp_path, caplog):
    workshop = begun(tiny_base_dir, tmp_path)
    caplog.set_level("INFO")
    write_chats(workshop.held_out, ("quite", "another", "text"))
    first, second = held_out(merge(asked(workshop, "moved")))
    assert (first["not_measured"], second["rows"]) == ("has other rows now", 4)
    assert "coder@1.0.0: not measured on" in caplog.text
    workshop.held_out.unlink()
    first, _ = held_out(merge(asked(workshop, "lost")))
    assert "held_out.jsonl" in first["not_measured"]


def test_what_has_no_test_rows_is_merged_all_the_same(workshop):
    train(workshop.config("bare", test=None))
    outcome = merge(asked(workshop, "half", adapters=["bare", "security"]))
    assert held_out(outcome)[0]["not_measured"] == "it was trained without test rows"
    assert "kept_bare@1.0.0" not in outcome.artifact.manifest.metrics
    nested = merge(asked(workshop, "nested", adapters=["half", "coder"]))
    assert "records a merge and no training" in held_out(nested)[0]["not_measured"]
    silent = merge(asked(workshop, "silent", held_out=HeldOutConfig(recorded=False)))
    assert {each["not_measured"] for each in held_out(silent)} == {"nobody asked for it"}
    # Without rows and proof the base is not even looked at.
    assert silent.artifact.manifest.base.fingerprint_before == ""


@pytest.mark.parametrize("given", [False, True])
def test_weights_by_performance_are_in_proportion_to_the_gains(workshop, given):
    data = chats(workshop.others) if given else None
    words = {"method": MethodConfig("weighted"), "weights": "performance", "data": data, "rank": "sum"}
    outcome = merge(asked(workshop, f"gained_{given}".lower(), **words))
    told = held_out(outcome)
    gains = [each["loss_without"] - each["loss_of_source"] for each in told]
    found = outcome.artifact.manifest.merge
    assert found.weights == pytest.approx([gain / math.fsum(gains) for gain in gains], rel=5e-3)
    assert found.options["weighed_by"] == "performance"
    assert not merge(asked(workshop, f"gained_{given}".lower(), **words)).merged


def test_rows_that_are_none_are_refused(workshop, tmp_path):
    with pytest.raises(UsageError, match=r"data=chat needs rows to measure on: data\.test=FILE"):
        merge(asked(workshop, "none", data=DataConfig(reader="chat", train=str(workshop.train))))
    one = write_chats(tmp_path / "one.jsonl", ("word",))
    with pytest.raises(DataError, match="fewer than two rows"):
        merge(asked(workshop, "none", data=chats(one)))
    assert workshop.registry.versions("none") == []


def test_a_synthetic_task_gives_its_test_rows(workshop):
    data = DataConfig(
        reader="synthetic", train="auto", validation="auto", test="auto", task="coder", rows=40, on_long_row="drop"
    )
    told = held_out(merge(asked(workshop, "task", data=data, held_out=HeldOutConfig(max_rows=4))))
    assert [each["rows"] for each in told] == [4, 4]
    assert "test rows" in told[0]["data"]


def test_what_two_merges_share_is_measured_once(workshop, monkeypatch):
    plain, measured = merge_trial.row_losses, []

    def counted(model, rows, *arguments, **settings):
        measured.append(len(rows))
        return plain(model, rows, *arguments, **settings)

    monkeypatch.setattr(merge_trial, "row_losses", counted)
    release_resident_base()
    first = merge(asked(workshop, "once"))
    # Of each source the base alone, and with the source; then the merge on the rows of both.
    assert measured == [3, 3, 4, 4, 3, 4]
    second = merge(asked(workshop, "twice", method=MethodConfig("ties")))
    assert measured[6:] == [3, 4]
    for one, other in zip(held_out(first), held_out(second), strict=True):
        assert one["loss_without"] == other["loss_without"]
        assert one["loss_of_source"] == other["loss_of_source"]
        assert one["loss_of_merge"] != other["loss_of_merge"]


def test_rows_that_are_cut_otherwise_are_other_rows(workshop):
    tokenizer = load_tokenizer("base", workshop.base)
    messages = [json.loads(line)["messages"] for line in workshop.others.read_text("utf-8").splitlines()]
    longest = max(len(tokenizer.apply_chat_template(each, return_dict=True)["input_ids"]) for each in messages)
    whole = merge(asked(workshop, "cut", data=chats(workshop.others)))
    fewer = dataclasses.replace(chats(workshop.others), max_length=longest - 1, on_long_row="drop")
    cut = merge(asked(workshop, "cut", data=fewer))
    assert cut.merged
    assert [each["rows"] for each in (*held_out(whole), *held_out(cut))] == [4, 4, 3, 3]
    for one, other in zip(held_out(whole), held_out(cut), strict=True):
        assert one["loss_without"] != other["loss_without"]
        assert one["loss_of_source"] != other["loss_of_source"]
