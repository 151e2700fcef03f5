"""`--to hub`: a folder that may be uploaded as it is, and that plain PEFT loads by the lines of its card."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch
import yaml
from artifacts.samples import draft_of
from peft import PeftModel

from adapterkit.digest import sha256_file
from adapterkit.errors import UnknownNameError, UsageError
from adapterkit.manifest import BaseRecord, DataRecord
from adapterkit.workflows.export import export
from adapterkit.workflows.export_request import ExportRequest
from tests.driving import printed
from tests.stack.kin import logits

SECRET = "hf_" + "abcdefghij" * 3 + "abcd"


def hub(kin, folder, ref, **more):
    return export(kin.registry, ExportRequest(ref, "hub", folder / "out", base_id="example/tiny", **more))


def front_matter(folder):
    _, text, _ = (folder / "README.md").read_text().split("---\n", 2)
    return yaml.safe_load(text)


@pytest.mark.parametrize(
    ("ref", "dtype"),
    [
        ("child", None),
        *(
            pytest.param(*each, marks=pytest.mark.long)
            for each in [("unified", None), ("dora", "stacked"), ("child", "bf16")]
        ),
    ],
)
def test_the_lines_of_the_card_give_the_stack(kin, tmp_path, ref, dtype):
    stacked = dtype == "stacked"
    done = hub(kin, tmp_path, ref, stacked=stacked, dtype=None if stacked else dtype)
    card = (done.path / "README.md").read_text()
    code = card.split("```python\n")[1].split("```")[0]
    assert 'BASE = "example/tiny"' in code
    code = code.replace('BASE = "example/tiny"', f'BASE = "{kin.base_folder}"')
    code += "with torch.no_grad():\n    logits = model(input_ids=torch.arange(3, 35).view(2, 16)).logits\n"
    code += f"torch.save(logits, {str(tmp_path / 'logits.pt')!r})\n"
    subprocess.run([sys.executable, "-c", code], cwd=done.path, check=True)
    ours = logits(kin.stack(ref).model)
    assert (torch.load(tmp_path / "logits.pt") - ours).abs().max() < (0.5 if dtype == "bf16" else 1e-3)


def test_one_member_is_copied_byte_for_byte(kin, tmp_path):
    done = hub(kin, tmp_path, "unified")
    published = kin.registry.artifact("unified")
    assert sha256_file(done.path / "adapter_model.safetensors") == sha256_file(
        published.path / "adapter_model.safetensors"
    )
    config = json.loads((done.path / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "example/tiny"
    blended = hub(kin, tmp_path / "half", "unified", weights=(0.5,))
    model = PeftModel.from_pretrained(kin.base().model, blended.path).eval()
    stack = kin.stack("unified")
    stack.blend(None, (0.5,))
    assert (logits(model) - logits(stack.model)).abs().max() < 1e-4


def test_its_card_and_its_record(kin, tmp_path):
    done = hub(kin, tmp_path, "child", rank=2)
    matter = front_matter(done.path)
    assert matter["base_model"] == "example/tiny"
    assert matter["library_name"] == "peft"
    assert "lora" in matter["tags"]
    card = (done.path / "README.md").read_text()
    assert "| `child@1.0.0` |" in card
    assert "The limit on the rank left out at most" in card
    record = json.loads((done.path / "export.json").read_text())
    members = kin.registry.lineage("child").members
    assert [(each["ref"], each["weights_digest"]) for each in record["members"]] == [
        (str(member.ref), member.weights_digest) for member in members
    ]
    assert record["files"] == {
        name: sha256_file(done.path / name)
        for name in ("README.md", "adapter_config.json", "adapter_model.safetensors")
    }
    assert max(record["left_out_by_the_rank"].values()) > 0.1


def test_neither_a_path_nor_a_secret_goes_along(kin, tmp_path):
    raw = kin.folder / "raw" / "unified"
    kin.registry.publish(
        draft_of(
            raw,
            name="private",
            base=BaseRecord(kin.identity, "", "", 0),
            base_location=str(kin.base_folder),
            run_key="5" * 64,
            data=DataRecord(f"{tmp_path}/diary.jsonl", "1" * 64, 3, 40, {f"file:{tmp_path}/diary.jsonl": "2" * 64}),
            description=f"Trained with token={SECRET}",
        )
    )
    for number, more in enumerate(({}, {"stacked": True}, {"dtype": "int8"}, {"rank": 1})):
        done = hub(kin, tmp_path / str(number), "private", **more)
        for path in (path for path in done.path.rglob("*") if path.is_file()):
            held = path.read_bytes()
            for private in (str(tmp_path), str(kin.base_folder), str(kin.registry.path), SECRET):
                assert private.encode() not in held, (path.name, private)


def test_what_will_not_do_is_refused(kin, tmp_path):
    with pytest.raises(UsageError, match="a folder of this machine, which nobody else has"):
        export(kin.registry, ExportRequest("child", "hub", tmp_path / "out"))
    with pytest.raises(UsageError, match="--stacked copies the members as they were published"):
        hub(kin, tmp_path, "child", stacked=True, weights=(1, 0.5))
    with pytest.raises(UnknownNameError, match="Did you mean int8"):
        hub(kin, tmp_path, "child", dtype="int88")
    for odd in ("", 'x"; import os #', "a/b/c", "/a/folder"):
        with pytest.raises(UsageError, match="is no id of a base on the hub"):
            ExportRequest("child", "hub", tmp_path / "out", base_id=odd)
    assert list(tmp_path.iterdir()) == []


def test_the_verb(kin, tmp_path):
    words = ("export", "child", "--to", "hub", "--base-id", "example/tiny", "--weight", "1", "--weight", "0.5")
    where = ("--registry", kin.registry.path)
    told = printed(*words, "--out", tmp_path / "a", *where)
    assert f"Exported child@1.0.0 --to hub: {tmp_path / 'a'}" in told
    assert "unified@1.0.0 x 1, child@1.0.0 x 0.5" in told
    found = json.loads(printed(*words, "--out", tmp_path / "b", *where, "--json"))
    assert (found["form"], found["path"]) == ("hub", str(tmp_path / "b"))
    assert [each["weight"] for each in found["members"]] == [1, 0.5]
    refused = json.loads(printed(*words, "--out", tmp_path / "b", *where, "--json", code=1))
    assert refused["kind"] == "ExportError"
    assert printed("export", "child", "--to", "ggml", "--out", tmp_path / "c", *where, code=2) == ""
