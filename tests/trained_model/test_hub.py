"""Models on the hub: named with a revision, downloaded once, whole, and nothing that runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from iacfilter_hpc.checkpoints.manifest import write_manifest
from iacfilter_hpc.errors import IacfilterError, RunNotFound, UsageError
from iacfilter_hpc.trained_model.find import find_trained
from iacfilter_hpc.trained_model.hub import HubName, hub_name
from tests.made_models import make_final
from tests.made_runs import DEMO
from tests.trained_model.hub_server import COMMIT, serving

REPOSITORY = "acme/small-filter"
NAME = f"hf://{REPOSITORY}@v1"
FIND = """
import json, sys
from pathlib import Path
from iacfilter_hpc.errors import IacfilterError
from iacfilter_hpc.checkpoints.manifest import verify
from iacfilter_hpc.trained_model.find import find_trained
try:
    found = find_trained(Path("/none"), sys.argv[1])
    verify(found.final)
    files = sorted(path.name for path in found.final.iterdir())
    print(json.dumps({"name": found.name, "final": str(found.final), "files": files}))
except IacfilterError as error:
    sys.exit(error.text())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model as it is published, with a file beside it that is none of its own."""
    final = tmp_path / "published"
    make_final(final, DEMO["train"], DEMO["validation"])
    (final / "model.safetensors").write_bytes(b"weights")
    (final / "README.md").write_text("# a card\n")
    write_manifest(final)
    (final / "modeling_evil.py").write_text("raise SystemExit('it ran')\n")
    return final


def find(cache: Path, name: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """find_trained in a process of its own: the library reads its variables when it is imported."""
    environment = os.environ | {"HF_HOME": str(cache), "HF_HUB_OFFLINE": "0", "NO_PROXY": "*"}
    return subprocess.run(
        [sys.executable, "-c", FIND, name],
        capture_output=True,
        text=True,
        check=False,
        env=environment | variables,
        timeout=60,
    )


def test_a_model_is_downloaded_once_and_found_offline(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with serving(REPOSITORY, "v1", folder) as hub:
        first = find(cache, NAME, HF_ENDPOINT=hub.url)
        assert first.returncode == 0, first.stderr
        told = json.loads(first.stdout)
        assert told["name"] == f"{REPOSITORY}@v1"
        assert set(told["files"]) == {
            *("README.md", "decision.json", "manifest.json", "model.safetensors"),
            *("seen.json", "trained_on.json", "validation_scores.json"),
        }
        assert COMMIT in told["final"]
        assert not any("evil" in path and "resolve" in path for path in hub.asked)
        count = len(hub.asked)
        # what is whole in the cache is not asked for again, whatever the spelling
        again = find(cache, NAME.removeprefix("hf://"), HF_ENDPOINT=hub.url)
        assert (again.stdout, len(hub.asked)) == (first.stdout, count), again.stderr
    for variables in ({"HF_ENDPOINT": "http://127.0.0.1:9"}, {"HF_HUB_OFFLINE": "1"}):
        later = find(cache, NAME, **variables)
        assert later.stdout == first.stdout, later.stderr


def test_a_download_that_broke_off_is_completed(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with serving(REPOSITORY, "v1", folder) as hub:
        told = json.loads(find(cache, NAME, HF_ENDPOINT=hub.url).stdout)
        (Path(told["final"]) / "model.safetensors").unlink()
        broken = find(cache, NAME, HF_HUB_OFFLINE="1")
        assert broken.returncode == 1
        assert f"error: {REPOSITORY}@v1 cannot be had from the hub" in broken.stderr
        assert "hint: with HF_HUB_OFFLINE=1" in broken.stderr
        assert json.loads(find(cache, NAME, HF_ENDPOINT=hub.url).stdout) == told


def test_what_the_hub_does_not_have(folder: Path, tmp_path: Path) -> None:
    with serving(REPOSITORY, "v1", folder) as hub:
        for name in (f"hf://{REPOSITORY}@v2", "hf://acme/other@v1"):
            told = find(tmp_path / "cache", name, HF_ENDPOINT=hub.url)
            assert told.returncode == 1
            assert told.stderr.startswith(f"error: {name.removeprefix('hf://')} cannot be had")
            assert "Traceback" not in told.stderr
        (folder / "decision.json").unlink()
        told = find(tmp_path / "other", NAME, HF_ENDPOINT=hub.url)
        assert f"error: {REPOSITORY}@v1 on the hub has no decision.json" in told.stderr


def test_files_that_could_run_are_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"\x80pickle")
    write_manifest(folder)
    with serving(REPOSITORY, "v1", folder) as hub:
        told = find(tmp_path / "cache", NAME, HF_ENDPOINT=hub.url)
        assert told.returncode == 1
        assert "has files that no model of iacfilter-hpc has: 'modeling_evil.py', " in told.stderr
        assert not any(path.endswith((".py", ".bin")) for path in hub.asked)


def test_a_file_that_was_changed_is_told(folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"waights")
    with serving(REPOSITORY, "v1", folder) as hub:
        told = find(tmp_path / "cache", NAME, HF_ENDPOINT=hub.url)
    assert "model.safetensors has another sha256 than when it was trained" in told.stderr


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("hf://acme/small@v1", HubName("acme/small", "v1")),
        ("acme/small.v2@0123abc", HubName("acme/small.v2", "0123abc")),
        ("acme/small@refs/pr/1", HubName("acme/small", "refs/pr/1")),
        ("acme/small", None),
        ("small@v1", None),
        ("a/b/c@v1", None),
        ("/models/encoder/a-run@v1", None),
        ("acme/sm all@v1", None),
        ("acme/small@v1\n", None),
    ],
)
def test_names(text: str, wanted: HubName | None) -> None:
    assert hub_name(text) == wanted


@pytest.mark.parametrize(
    "name", ["hf://acme/small", "hf://small@v1", "hf://", "hf://a/b@", "hf://@"]
)
def test_a_hub_name_needs_a_revision(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="is no model on the hub with a revision") as refused:
        find_trained(tmp_path, name)
    assert "hf://ORGANISATION/NAME@REVISION" in str(refused.value.hint)


def test_what_may_have_been_meant(tmp_path: Path) -> None:
    with pytest.raises(RunNotFound, match="nor a directory of that name") as refused:
        find_trained(tmp_path, "acme/small")
    assert "hf://ORGANISATION/NAME@REVISION" in str(refused.value.hint)


def test_a_directory_of_that_name_comes_first(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    there = Path("acme/small@v1")
    there.parent.mkdir()
    folder.rename(there)
    assert find_trained(tmp_path, str(there)).final == tmp_path / there
    with pytest.raises(IacfilterError, match="cannot be had from the hub"):
        find_trained(tmp_path, "acme/small@v2")
