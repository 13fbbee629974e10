"""iacfilter_hpc.checkpoints.checkpoints and .manifest: broken ones are known, good ones kept."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from iacfilter_hpc.checkpoints.checkpoints import (
    Checkpoints,
    check_processes,
    clean,
    newest_saved,
    newest_step,
    newest_verified,
)
from iacfilter_hpc.checkpoints.lease import claim
from iacfilter_hpc.checkpoints.manifest import BrokenCheckpoint, verify_checkpoint
from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.runs.layout import RunLayout

FILES = {
    "model.safetensors": b"weights" * 100,
    "optimizer.pt": b"state",
    "rng_state.pth": b"random",
    "global_step/rank_0.pt": b"part 0",
    "global_step/rank_1.pt": b"part 1",
    "empty": b"",
}
STATE = "trainer_state.json"
ALL = [*FILES, STATE]


@pytest.fixture
def saves(tmp_path: Path) -> Checkpoints:
    layout = RunLayout(tmp_path / "run")
    layout.directory.mkdir()
    return Checkpoints(layout, "7", claim(layout, "7"))


def save(saves: Checkpoints, step: int, best: int | None = None, processes: int = 2) -> Path:
    """Publish a checkpoint that knows of a best one."""
    saves.clear()
    written = saves.staging / f"checkpoint-{step}"
    for name, content in FILES.items():
        (written / name).parent.mkdir(parents=True, exist_ok=True)
        (written / name).write_bytes(content)
    named = None if best is None else str(saves.path(best))
    (written / STATE).write_text(json.dumps({"best_model_checkpoint": named}))
    saves.publish(step, processes)
    return saves.path(step)


def steps(saves: Checkpoints) -> set[int]:
    found = saves.layout.directory.glob("checkpoint-*")
    return {int(path.name.partition("-")[2]) for path in found}


def chosen(saves: Checkpoints) -> str | None:
    found = newest_verified(saves.layout, "7.1")
    return found.path.name if found else None


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def remove(path: Path) -> None:
    path.unlink()


def link(path: Path) -> None:
    """The same content, elsewhere."""
    elsewhere = path.parents[2] / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def open_to_group(path: Path) -> None:
    path.chmod(0o664)


def open_to_all(path: Path) -> None:
    path.chmod(0o646)


def add_beside(path: Path) -> None:
    path.with_name("added").touch()


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


HARM: dict[str, tuple[Callable[[Path], None], str]] = {
    "truncated": (truncate, "has {less} bytes instead of {size}"),
    "one bit is another": (flip, "has another sha256 than when it was saved"),
    "grown": (grow, "has {more} bytes instead of {size}"),
    "removed": (remove, "is missing"),
    "a link": (link, "is a link"),
    "its group may write it": (open_to_group, "others than its owner can write"),
    "all may write it": (open_to_all, "others than its owner can write"),
    "a file was added": (add_beside, "added is not in its manifest"),
    "a folder in its place": (make_folder, "is missing"),
}


def test_what_is_saved_verifies(saves: Checkpoints) -> None:
    path = save(saves, 4)
    manifest = verify_checkpoint(path)
    assert (manifest.step, manifest.processes) == (4, 2)
    assert set(manifest.files) == set(ALL)
    assert manifest.size == sum((path / name).stat().st_size for name in ALL)
    assert chosen(saves) == "checkpoint-4"
    assert not saves.staging.exists()


def test_without_any_there_is_none(saves: Checkpoints) -> None:
    assert chosen(saves) is None


def test_the_newest_is_chosen_by_its_step(saves: Checkpoints) -> None:
    for step in (8, 16, 100, 9):
        save(saves, step)
    assert chosen(saves) == "checkpoint-100"


@pytest.mark.parametrize(
    ("harm", "name"),
    [
        (harm, name)
        for harm in HARM
        for name in ALL
        if name != "empty" or harm not in ("truncated", "one bit is another")
    ],
)
def test_a_broken_one_is_set_aside_and_the_one_before_chosen(
    saves: Checkpoints, caplog: pytest.LogCaptureFixture, harm: str, name: str
) -> None:
    save(saves, 4)
    broken = save(saves, 8)
    do, said = HARM[harm]
    size = (broken / name).stat().st_size
    do(broken / name)
    with pytest.raises(BrokenCheckpoint):
        verify_checkpoint(broken)
    assert chosen(saves) == "checkpoint-4"
    assert not broken.exists()
    assert broken.with_name("broken-checkpoint-8-7.1").is_dir()
    (message,) = caplog.messages
    assert message.startswith("checkpoint-8 is broken: ")
    assert said.format(size=size, less=size - 1, more=size + 1) in message
    assert message.endswith("; set aside as broken-checkpoint-8-7.1")
    assert steps(saves) == {4}


MANIFESTS = {
    "none": None,
    "empty": "",
    "half": '{"step": 8, "pro',
    "no object": "[]",
    "another schema": '{"schema": 2, "step": 8, "processes": 2, "files": {}}',
    "no files": '{"schema": 1, "step": 8, "processes": 2}',
    "files of another kind": '{"schema": 1, "step": 8, "processes": 2, "files": [1]}',
    "an entry of another kind": '{"schema": 1, "step": 8, "processes": 2, "files": {"a": {}}}',
    "another key": '{"schema": 1, "step": 8, "processes": 2, "files": {}, "more": 1}',
    "a file outside": '{"schema": 1, "step": 8, "processes": 2, "files": '
    '{"../a": {"size": 0, "sha256": ""}}}',
}


@pytest.mark.parametrize("text", MANIFESTS.values(), ids=MANIFESTS)
def test_a_manifest_that_is_none(saves: Checkpoints, text: str | None) -> None:
    save(saves, 4)
    broken = save(saves, 8)
    (broken / "manifest.json").unlink()
    if text is not None:
        (broken / "manifest.json").write_text(text)
    assert chosen(saves) == "checkpoint-4"
    assert broken.with_name("broken-checkpoint-8-7.1").is_dir()


def test_a_folder_that_others_can_write(saves: Checkpoints) -> None:
    """They could put a file of their own in the place of one of ours."""
    for folder in (Path(), Path("global_step")):
        save(saves, 4)
        path = save(saves, 8)
        (path / folder).chmod(0o775)
        with pytest.raises(BrokenCheckpoint, match="others than its owner can write"):
            verify_checkpoint(path)
        assert chosen(saves) == "checkpoint-4"
        saves.prune(0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
@pytest.mark.parametrize("name", ["", "global_step", *ALL])
def test_what_belongs_to_another_user(saves: Checkpoints, name: str) -> None:
    save(saves, 4)
    path = save(saves, 8)
    os.chown(path / name, 12345, 12345)
    with pytest.raises(BrokenCheckpoint, match="belongs to another user"):
        verify_checkpoint(path)
    assert chosen(saves) == "checkpoint-4"


def test_a_link_to_a_checkpoint_is_none(saves: Checkpoints) -> None:
    path = save(saves, 8)
    elsewhere = path.with_name("elsewhere")
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    assert chosen(saves) is None
    assert elsewhere.is_dir()


def test_a_file_of_a_checkpoint_s_name_is_none(saves: Checkpoints) -> None:
    save(saves, 4)
    saves.path(8).touch()
    assert chosen(saves) == "checkpoint-4"


def test_setting_aside_keeps_what_was_set_aside_before(saves: Checkpoints) -> None:
    for _ in range(3):
        remove(save(saves, 8) / STATE)
        assert chosen(saves) is None
    aside = sorted(path.name for path in saves.layout.directory.glob("broken-*"))
    first = "broken-checkpoint-8-7.1"
    assert aside == [first, f"{first}-again", f"{first}-again-again"]


@pytest.mark.parametrize("is_gone", [True, False])
def test_one_without_its_best_one_is_passed_over(
    saves: Checkpoints, caplog: pytest.LogCaptureFixture, is_gone: bool
) -> None:
    save(saves, 2)
    best = save(saves, 4, best=4)
    save(saves, 8, best=4)
    assert chosen(saves) == "checkpoint-8"
    if is_gone:
        best.rename(best.with_name("moved"))
    else:
        flip(best / "model.safetensors")
    assert chosen(saves) == "checkpoint-2"
    aside = (
        "checkpoint-8 is set aside as broken-checkpoint-8-7.1: its best one, checkpoint-4, is gone"
    )
    assert aside in caplog.messages
    assert 8 not in steps(saves)


def test_the_best_one_is_known_by_its_name(saves: Checkpoints) -> None:
    """A run that was moved, or is mounted elsewhere, has another path."""
    save(saves, 4, best=4)
    save(saves, 8, best=4)
    moved = saves.layout.directory.rename(saves.layout.directory.with_name("moved"))
    found = newest_verified(RunLayout(moved), "7.1")
    assert found
    assert found.path == moved / "checkpoint-8"


def test_pruning_keeps_the_newest_and_the_best_one_it_names(saves: Checkpoints) -> None:
    for step in (2, 4, 6, 8):
        save(saves, step, best=4)
    saves.prune(1)
    assert steps(saves) == {4, 8}
    assert chosen(saves) == "checkpoint-8"
    saves.prune(1)
    assert steps(saves) == {4, 8}
    assert not list(saves.layout.directory.glob(".deleting-*"))


def test_pruning_keeps_the_best_ones_of_all_that_it_keeps(saves: Checkpoints) -> None:
    for step, best in ((2, 2), (4, 2), (6, 2), (8, 8)):
        save(saves, step, best=best)
    saves.prune(2)
    assert steps(saves) == {2, 6, 8}


@pytest.mark.parametrize("name", ALL)
def test_pruning_deletes_nothing_while_the_newest_is_broken(
    saves: Checkpoints, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    for step in (2, 4, 6, 8):
        save(saves, step, best=4)
    remove(saves.path(8) / name)
    saves.prune(1)
    assert steps(saves) == {2, 4, 6, 8}
    (message,) = caplog.messages
    assert message == f"checkpoint-8 is broken: {name} is missing; older ones are kept"


def test_a_broken_one_among_the_kept_does_not_end_the_training(saves: Checkpoints) -> None:
    for step in (2, 4, 6, 8):
        save(saves, step, best=4)
    remove(saves.path(6) / STATE)
    saves.prune(2)
    assert steps(saves) == {4, 6, 8}


def test_publishing_over_another_fails_and_changes_nothing(saves: Checkpoints) -> None:
    path = save(saves, 4)
    before = (path / "manifest.json").read_bytes()
    with pytest.raises(OSError, match="not empty"):
        save(saves, 4, processes=3)
    assert (path / "manifest.json").read_bytes() == before
    assert verify_checkpoint(path).processes == 2


def test_a_save_that_broke_off_shows_nowhere(saves: Checkpoints) -> None:
    save(saves, 4)
    saves.clear()
    (saves.staging / "checkpoint-8").mkdir()
    (saves.staging / "checkpoint-8" / STATE).touch()
    assert chosen(saves) == "checkpoint-4"
    doomed = saves.layout.directory / ".deleting-checkpoint-2"
    doomed.mkdir()
    clean(saves.layout, "7")
    assert saves.staging.exists()
    assert not doomed.exists()
    clean(saves.layout, "7.1")
    assert not saves.staging.exists()
    assert steps(saves) == {4}


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o002, 0o000, 0o077])
def test_what_is_published_is_written_by_its_owner_alone(saves: Checkpoints, mask: int) -> None:
    before = os.umask(mask)
    try:
        path = save(saves, 4)
    finally:
        os.umask(before)
    verify_checkpoint(path)
    for each in [path, *path.rglob("*")]:
        wanted = (0o777 if each.is_dir() else 0o666) & ~mask & ~0o022
        assert each.stat().st_mode & 0o777 == wanted


def test_another_number_of_processes_is_refused(saves: Checkpoints) -> None:
    save(saves, 4, processes=2)
    found = newest_verified(saves.layout, "7.1")
    assert found
    check_processes(found, 2)
    with pytest.raises(TrainingError) as caught:
        check_processes(found, 4)
    assert caught.value.message == ("checkpoint-4 was saved by 2 processes, and this attempt has 4")
    assert caught.value.hint == "resume with --gpus 2, or start a new run"
    save(saves, 8, processes=1)
    one = newest_verified(saves.layout, "7.1")
    assert one
    with pytest.raises(TrainingError, match="checkpoint-8 was saved by 1 process, and this"):
        check_processes(one, 2)


def test_only_the_main_process_publishes(saves: Checkpoints) -> None:
    with pytest.raises(AssertionError, match="only the main process"):
        Checkpoints(saves.layout, "7", None).clear()


def test_the_step_of_the_newest_checkpoint(saves: Checkpoints) -> None:
    run = saves.layout
    assert newest_step(run) == 0
    for name in ("checkpoint-8", "checkpoint-16", "broken-checkpoint-24-7", "checkpoint-x"):
        (run.directory / name).mkdir()
    (run.directory / ".saving-7" / "checkpoint-32").mkdir(parents=True)
    assert newest_step(run) == 16


def test_a_checkpoint_of_an_earlier_version_verifies(saves: Checkpoints) -> None:
    """Its manifest has the same keys, in another order."""
    path = save(saves, 8)
    fields = json.loads((path / "manifest.json").read_text())
    assert set(fields) == {"schema", "files", "step", "processes"}
    earlier = {name: fields[name] for name in ("step", "processes", "files", "schema")}
    (path / "manifest.json").write_text(json.dumps(earlier, indent=2) + "\n")
    assert verify_checkpoint(path).step == 8
    assert newest_saved(saves.layout) == verify_checkpoint(path)


def test_what_the_newest_checkpoint_says_of_itself(saves: Checkpoints) -> None:
    assert newest_saved(saves.layout) is None
    save(saves, 4)
    flip(save(saves, 16, processes=4) / "model.safetensors")
    (save(saves, 100) / "manifest.json").write_text("{")
    found = newest_saved(saves.layout)
    assert found and (found.step, found.processes) == (16, 4)
