"""The training door as a process: exit codes, messages without a traceback, sweeps."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.driving import door
from tests.workflows.tiny import Workshop


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "+recipe=unified"),
        (["trainer.learning_rat=1"], "learning_rat"),
        (["+recipe=no_such_recipe"], "no_such_recipe"),
        (["adapter.r=many"], "many"),
        (["quantization=nf5"], "nf4"),
        (["trainer.lr_scheduler=cosin"], "Did you mean cosine"),
    ],
)
def test_a_wrong_command_line_is_one_message_and_exit_code_2(tmp_path, arguments, named):
    done = door(tmp_path, *arguments)
    assert done.returncode == 2
    assert named in done.stderr
    assert "search path" not in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert not (tmp_path / "adapters").exists()


def tiny(shop):
    return [
        f"model.id={shop.base}", "quantization=fp32", "data=chat", f"data.train={shop.train}", "data.max_length=256",
        "name=x", "trainer.max_steps=1", "trainer.batch_size=2", "tracking=none", "device=cpu",
    ]  # fmt: skip


def test_a_sweep_publishes_each_job_under_its_own_name(tiny_base_dir, tmp_path):
    shop = Workshop(tiny_base_dir, tmp_path)
    done = door(tmp_path, "-m", "adapter.r=2,4", *tiny(shop))
    assert done.returncode == 0, done.stderr
    assert shop.registry.names() == ["x.r2", "x.r4"]
    assert [shop.registry.manifest(f"x.r{r}").adapter.rank for r in (2, 4)] == [2, 4]
    assert len(list((tmp_path / "outputs").glob("x.r*/*/final_artifact"))) == 2


def test_one_bad_job_leaves_the_others_of_its_sweep_alone(tiny_base_dir, tmp_path):
    shop = Workshop(tiny_base_dir, tmp_path)
    done = door(tmp_path, "-m", "adapter.target_modules=no_such_layer,q_proj", "suffix=.${adapter.target_modules}",
                *tiny(shop))  # fmt: skip
    assert done.returncode in (1, 2)
    assert "no_such_layer" in done.stderr
    assert "Traceback" not in done.stderr
    assert shop.registry.names() == ["x.q_proj"]


@pytest.mark.parametrize("targets", ["[q_prj]", "[q_prj,v_proj]", "[q_prj,q]"])
def test_a_target_that_the_base_lacks_is_one_message_whatever_stands_beside_it(tiny_base_dir, tmp_path, targets):
    done = door(tmp_path, f"adapter.target_modules={targets}", *tiny(Workshop(tiny_base_dir, tmp_path)))
    assert done.returncode == 2
    assert "does not fit the base: LlamaForCausalLM has no module 'q_prj'" in done.stderr
    assert not (tmp_path / "outputs").exists()


@pytest.mark.long
def test_a_job_that_is_refused_or_has_nothing_to_do_leaves_no_folder(tiny_base_dir, tmp_path):
    words = tiny(Workshop(tiny_base_dir, tmp_path))
    assert door(tmp_path, "adapter.r=0", *words).returncode == 2
    assert not (tmp_path / "outputs").exists()
    assert door(tmp_path, *words).returncode == 0
    (run,) = (tmp_path / "outputs" / "x").iterdir()
    assert {".hydra", "train.log", "final_artifact"} <= {path.name for path in run.iterdir()}
    assert "is up to date" in door(tmp_path, *words).stdout
    assert door(tmp_path, "adapter.r=0", *words).returncode == 2
    assert door(tmp_path, "force=true", f"resume={run}", *words).returncode == 1
    assert list((tmp_path / "outputs" / "x").iterdir()) == [run]


def test_a_folder_for_runs_that_cannot_be_made_is_one_plain_message(tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("no folder")
    done = door(tmp_path, "+recipe=unified")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: outputs/unified/")
    assert "Not a directory" in line
    assert line.endswith("hydra.run.dir=FOLDER")


@pytest.mark.parametrize(
    ("of", "told"),
    [
        (
            "train",
            ["+recipe=NAME", "persona_on_unified", "smollm2_demo*", "trainer.KEY", "learning_rate", "PERSONA, on"],
        ),
        ("merge", ["+merge=NAME", "two_voices", "weighted*", "held_out.KEY", "method=ties"]),
    ],
)
def test_help_lists_recipes_groups_and_keys(tmp_path: Path, of: str, told: list[str]) -> None:
    done = door(tmp_path, "--help", of=of)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(each in done.stdout for each in told)
    assert "$" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 110


def test_a_door_whose_output_nobody_reads_stops_without_a_word(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = door(tmp_path, "--help", writes_to=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_training_whose_output_nobody_reads_goes_on_without_a_word(tiny_base_dir: Path, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = door(tmp_path, *tiny(Workshop(tiny_base_dir, tmp_path)), writes_to=writing)
    os.close(writing)
    assert "Error" not in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == 0
    assert (tmp_path / "adapters" / "x" / "1.0.0").is_dir()


def test_a_folder_of_the_users_own_stays(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    assert door(tmp_path, "adapter.r=0", "hydra.run.dir=mine").returncode == 2
    assert (tmp_path / "mine" / "notes.txt").read_text() == "keep"


def test_a_sweep_says_why_each_of_its_jobs_failed(tiny_base_dir, tmp_path):
    shop = Workshop(tiny_base_dir, tmp_path)
    done = door(tmp_path, "-m", "adapter.r=0,2,-1", *tiny(shop))
    assert done.returncode == 2
    assert "Job 0 failed: adapter.r=0" in done.stdout
    assert "Job 2 failed: adapter.r=-1" in done.stdout
    assert shop.registry.names() == ["x.r2"]
    assert [path.name for path in (tmp_path / "outputs").glob("x*")] == ["x.r2"]


def test_names_are_made_of_what_a_persona_and_a_swept_list_can_give(tiny_base_dir, tmp_path):
    shop = Workshop(tiny_base_dir, tmp_path)
    chosen = [argument for argument in tiny(shop) if not argument.startswith("name=")]
    done = door(
        tmp_path, "-m", "+recipe=persona_on_unified", "persona=Anne Marie", "parent=null",
        "adapter.target_modules=[q_proj],[q_proj,v_proj]", *chosen,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert shop.registry.names() == [
        "persona_anne_marie.target_modules_q_proj", "persona_anne_marie.target_modules_q_proj_v_proj",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["+recipe=persona_on_unified", "data=chat", "data.train=chats.jsonl"], "persona=NAME"),
        (["+recipe=unified", "persona=lincoln"], "takes no persona"),
        (["name=../../away"], "cannot name an adapter"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_leaves_the_folder(tmp_path, arguments, said):
    folder = tmp_path / "deep" / "inside"
    folder.mkdir(parents=True)
    done = door(folder, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]
    assert {path.name for path in folder.iterdir()} <= {"outputs"}


def test_a_missing_parent_is_trained_with_what_the_childs_own_recipe_says_of_base_and_data(tiny_base_dir, tmp_path):
    shop = Workshop(tiny_base_dir, tmp_path)
    recipes = tmp_path / "mine" / "recipe"
    recipes.mkdir(parents=True)
    (recipes / "voice.yaml").write_text(
        "# @package _global_\n"
        "defaults:\n  - override /data: chat\n  - override /quantization: fp32\n  - override /tracking: none\n"
        "name: voice\nparent: ${data.unified}\nparent_recipe: unified\ndevice: cpu\n"
        f"model: {{id: {shop.base}}}\n"
        f"data: {{train: {shop.train}, max_length: 256, max_train_rows: 3, unified: shared}}\n"
        "trainer: {max_steps: 1}\n"
    )
    done = door(tmp_path, "--config-dir", "mine", "+recipe=voice")
    assert done.returncode == 0, done.stderr
    assert shop.registry.names() == ["shared", "voice"]
    assert [shop.registry.manifest(name).data.rows for name in ("shared", "voice")] == [4, 3]
    assert "<- shared@1.0.0 <- voice@1.0.0" in done.stdout


def test_a_password_in_a_failed_command_is_not_repeated(tmp_path: Path) -> None:
    """Hydra repeats the words of a job that failed, which is kept from the screen; our message is the only one."""
    words = ("data=chat", "data.train=nowhere.jsonl", "model.id=nowhere", "tracking.mlflow_uri=http://me:s3cretpw@host")
    done = door(tmp_path, *words)
    assert done.returncode != 0
    assert "s3cretpw" not in done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
