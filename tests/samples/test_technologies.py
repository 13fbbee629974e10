"""iacfilter_hpc.samples.technologies: the path tells, places before extensions."""

from __future__ import annotations

import pytest

from iacfilter_hpc.samples.technologies import NAMES, TECHNOLOGIES, technology_of, title_of


@pytest.mark.parametrize(
    ("file", "technology"),
    [
        ("site.yml", "ansible"),
        ("roles/web/tasks/Main.YAML", "ansible"),
        ("recipes/default.rb", "chef"),
        ("manifests/init.pp", "puppet"),
        ("main.tf", "terraform"),
        ("main.tf.json", "terraform"),
        ("prod.tfvars", "terraform"),
        (".github/workflows/ci.yml", "github-actions"),
        ("repos/x/.github/workflows/ci.YAML", "github-actions"),
        (".github/dependabot.yml", "github-actions"),
        ("action.yml", "github-actions"),
        ("tools/setup/action.yaml", "github-actions"),
        # a role's own
        ("roles/x/tasks/action.yml", "ansible"),
        ("handlers/action.yaml", "ansible"),
        # words of a name are no places
        ("github/workflows/ci.yml", "ansible"),
        ("my-action.yml", "ansible"),
        (".github/workflows/deploy.rb", "chef"),
        ("a.json", None),
        ("Dockerfile", None),
        ("tf", None),
        (".github/workflows/README.md", None),
    ],
)
def test_a_path_tells(file: str, technology: str | None) -> None:
    assert technology_of(file) == technology


def test_the_five_of_glitch() -> None:
    assert NAMES == ("ansible", "chef", "puppet", "terraform", "github-actions")
    assert all(each.title and each.suffixes for each in TECHNOLOGIES)
    assert (title_of("github-actions"), title_of("bicep")) == ("GitHub Actions", "bicep")
