"""Scripts of our own writing in the five technologies, made of blocks that a test can edit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

SHARED = "http://mirror.example/shared"
"""An address that several blocks cite, in lines that are equal."""


@dataclass(frozen=True)
class Unit:
    """One block: its lines, and the index of the one that is cited."""

    lines: tuple[str, ...]
    cited: int


@dataclass(frozen=True)
class Made:
    """A script of one technology: what leads to its blocks, the blocks, what ends it."""

    name: str
    file: str
    unit: Callable[[int], Unit]
    comment: str
    head: tuple[str, ...] = ()
    indent: int = 0
    tail: tuple[str, ...] = ()
    other_head: tuple[str, ...] = ()
    """Leads to the same blocks under another condition."""
    units: tuple[Unit, ...] = ()

    def with_units(self, units: Sequence[Unit]) -> Made:
        return replace(self, units=tuple(units))

    def text(self) -> str:
        return "\n".join([*self.lines(), ""])

    def lines(self) -> list[str]:
        blocks = [[" " * self.indent + line for line in unit.lines] for unit in self.units]
        between = [line for block in blocks for line in (*block, "")]
        return [*self.head, *between, *self.tail]

    def line_of(self, unit: Unit) -> int:
        """The cited line of one of the blocks, from 1."""
        before = self.units[: self.units.index(unit)]
        return len(self.head) + sum(len(each.lines) + 1 for each in before) + unit.cited + 1


def _task(n: int) -> Unit:
    lines = (
        f"- name: fetch tool {n}",
        "  get_url:",
        f"    url: {SHARED}",
        f"    dest: /opt/tool-{n}",
        "    mode: '0644'",
        "  when:",
        f"  - tools is defined and tools > {n}",
    )
    return Unit(lines, 2)


def _step(n: int) -> Unit:
    lines = (
        f"- name: step {n}",
        "  run: |",
        f"    curl {SHARED} -o tool-{n}",
        f"    # tool number {n}",
        "    chmod +x tool",
        "  env:",
        f"    NUMBER: {n}",
    )
    return Unit(lines, 2)


def _resource(n: int) -> Unit:
    lines = (
        f"# tool {n} of the mirror",
        f"remote_file '/opt/tool-{n}' do",
        f"  source '{SHARED}'",
        f"  owner 'tool{n}'",
        "  notifies :run, 'execute[x]' do",
        "    mode '0644'",
        "  end",
        "end",
    )
    return Unit(lines, 2)


def _declaration(n: int) -> Unit:
    lines = (
        f"file {{ '/opt/tool-{n}':",
        "  ensure => present,",
        f"  source => '{SHARED}',",
        f"  owner  => 'tool{n}',",
        "  tags   => {",
        "    'mode' => '0644',",
        "  },",
        "}",
    )
    return Unit(lines, 2)


def _terraform(n: int) -> Unit:
    lines = (
        f'resource "acme_tool" "tool_{n}" {{',
        f'  name   = "tool-{n}"',
        f'  source = "{SHARED}"',
        "  policy = <<EOF",
        f'{{ "number": {n} }}',
        "EOF",
        "  tags = {",
        f'    number = "{n}"',
        "  }",
        "}",
    )
    return Unit(lines, 2)


SCRIPTS = (
    Made("ansible tasks", "roles/tool/tasks/main.yml", _task, "#", head=("---",)),
    Made(
        "ansible playbook",
        "site.yml",
        _task,
        "#",
        head=("---", "- hosts: all", "  vars:", "    size: 1", "  tasks:"),
        indent=4,
        other_head=("---", "- hosts: production", "  tasks:"),
    ),
    Made("chef", "cookbooks/tool/recipes/default.rb", _resource, "#"),
    Made(
        "chef in a condition",
        "cookbooks/tool/recipes/extra.rb",
        _resource,
        "#",
        head=("if node['debug']",),
        indent=2,
        tail=("end",),
        other_head=("unless node['debug']",),
    ),
    Made(
        "puppet",
        "manifests/init.pp",
        _declaration,
        "#",
        head=("class tool (", "  $size = 1,", ") {"),
        indent=2,
        tail=("}",),
        other_head=("if $debug {",),
    ),
    Made("terraform", "main.tf", _terraform, "#"),
    Made(
        "github actions",
        ".github/workflows/ci.yml",
        _step,
        "#",
        head=("on: push", "jobs:", "  build:", "    runs-on: ubuntu", "    steps:"),
        indent=6,
        other_head=("on: push", "jobs:", "  release:", "    steps:"),
    ),
)


def made(script: Made, count: int, start: int = 0) -> Made:
    """The script with so many blocks, all different."""
    return script.with_units([script.unit(n) for n in range(start, start + count)])
