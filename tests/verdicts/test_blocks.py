"""iacfilter_hpc.verdicts.blocks: which lines belong together, in each kind of script."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from iacfilter_hpc.samples.technologies import TECHNOLOGIES
from iacfilter_hpc.verdicts.blocks import ONE_BLOCK, SYNTAX_OF, SYNTAXES, blocks_of

PLAY = """\
---
# all of it
- hosts: all
  vars:
    password: x
    size: 1
  tasks:
  # lead
  - name: fetch
    get_url:
      url: http://x

    with_items:
      - a
      # b
      - c
  - name: both
    block:
      - name: one
        shell: |
          # no comment
          tasks:
            - x
      - name: two
    when: debug
  handlers:
    - name: restart
"""
VARS = "---\nmysql:\n  user: a\n  password: b\nport: 1\n# last\n"
WORKFLOW = """\
on: push
env:
  TOKEN: x
jobs:
  build:
    services:
      db:
        env:
          PASSWORD: x
    steps:
      - uses: a
      - run: |
          curl http://x
        env: {a: b}
"""
RECIPE = """\
default['a']['b'] = 'x'
%w(
  a
).each do |name|
  package name do
    action :install
  end
end
if node['x']
  template '/x' do
    content <<-EOF
flush left
  EOF
    mode '0600'
  end
else
  user 'x'
end
"""
MANIFEST = """\
class foo (
  $password = 'x',
  $size = 1,
) {
  file { '/x':
    ensure => present,
  }
  if $x {
    class { 'apache':
      port => 80,
    }
  } else {
    $z = 1
  }
  case $os {
    'Debian', 'x': {
      package { 'a': ensure => present }
    }
    default: { }
  }
  each($names) |$name| {
    user { $name: ensure => present }
  }
}
"""
MANUAL = "# @summary\n#\n# @param x\n# last\nclass a {\n  $b = 1\n}\n"
TERRAFORM = """\
// a database
resource "aws_db" "x" {
  password = "x"
  policy   = <<EOF
{
}
EOF
  tags = {
    a = "b"
  }
}

variable "y" {}
"""


def numbers(text: str, suffix: str) -> list[list[int]]:
    blocks = blocks_of(text.splitlines(), suffix)
    return [[index + 1 for index, _ in block.lines] for block in blocks]


@pytest.mark.parametrize(
    ("text", "suffix", "blocks"),
    [
        (
            PLAY,
            ".yml",
            [
                [2, 3],
                [4, 5, 6],
                [7],
                [8, 9, 10, 11, 13, 14, 15, 16],
                [17],
                [18],
                [19, 20, 21, 22, 23],
                [24],
                [25],
                [26],
                [27],
            ],
        ),
        (VARS, ".yaml", [[2, 3, 4], [5, 6]]),
        (WORKFLOW, ".yml", [[1], [2, 3], [4], [5], [6, 7, 8, 9], [10], [11], [12, 13, 14]]),
        (
            RECIPE,
            ".rb",
            [[1], [2, 4, 8], [3], [5, 6, 7], [9, 16, 18], [10, 11, 12, 13, 14, 15], [17]],
        ),
        (
            MANIFEST,
            ".pp",
            [
                [1, 4, 24],
                [2],
                [3],
                [5, 6, 7],
                [8, 12, 14],
                [9, 10, 11],
                [13],
                [15, 20],
                [16, 18],
                [17],
                [19],
                [21, 23],
                [22],
            ],
        ),
        (MANUAL, ".pp", [[1, 2], [3, 4, 5, 7], [6]]),
        (TERRAFORM, ".tf", [list(range(1, 12)), [13]]),
    ],
    ids=["play", "vars", "workflow", "recipe", "manifest", "manual", "terraform"],
)
def test_blocks(text: str, suffix: str, blocks: list[list[int]]) -> None:
    assert numbers(text, suffix) == blocks


@pytest.mark.parametrize(
    ("text", "suffix"),
    [
        ("template 'x' do\nsource 'y'\nend\nuser 'z'\n", ".rb"),
        ("end\nuser 'z'\n", ".rb"),
        ("file { '/x':\nensure => present,\n}\nfile { '/y': }\n", ".pp"),
        ("file { '/x':\n  content => 'a\nb\n',\n  mode => '1',\n}\nuser { 'y': }\n", ".pp"),
        ('resource "a" "b" {\nx = 1\n}\nvariable "y" {}\n', ".tf"),
        ("a = 1\nb = 2\n", ".ini"),
    ],
)
def test_a_file_whose_indentation_tells_nothing_is_one_block(text: str, suffix: str) -> None:
    assert numbers(text, suffix) == [list(range(1, text.count("\n") + 1))]


def test_every_technology_has_a_syntax() -> None:
    suffixes = {suffix for each in TECHNOLOGIES for suffix in each.suffixes}
    # of .tf.json the last part counts
    assert {Path(f"x{suffix}").suffix for suffix in suffixes} <= {*SYNTAX_OF, *ONE_BLOCK}


@pytest.mark.parametrize("suffix", [each.suffixes[0] for each in SYNTAXES])
@pytest.mark.parametrize(
    "lines",
    [
        [" " * n + "if x" for n in range(3000)],
        ["x" + " :" * 200_000 + " {"],
        ["do |" * 100_000 + "|"],
        ["- " * 100_000],
        ["<<" * 100_000],
        ["{" * 100_000],
        ["# a"] * 50_000,
        ["x", "}"] * 5_000,
    ],
    ids=["deep", "colons", "do", "items", "texts", "brackets", "comments", "closers"],
)
def test_hostile_scripts_take_no_longer(lines: list[str], suffix: str) -> None:
    started = time.process_time()
    blocks_of(lines, suffix)
    assert time.process_time() - started < 2
