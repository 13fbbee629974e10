"""Reports of our own writing, and decisions on their rows that no model has given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from iacfilter_hpc.glitch.decisions import DecidedRow
from iacfilter_hpc.glitch.reasons import Cause, Reason
from iacfilter_hpc.glitch.report import BadRow, GlitchReport, open_report
from iacfilter_hpc.glitch.rows import Row, read_rows
from iacfilter_hpc.glitch.scripts import Scripts
from iacfilter_hpc.glitch.to_samples import Unusable, build_sample

TASKS = b"""---
- name: fetch the tool
  get_url:
    url: http://tools.example/a,b.tgz
    dest: /opt/tool
- name: make the user
  user:
    name: deploy
    password: "hunter,2"
# TODO: ask {someone} for [a vault](http://vault.example)
- name: fetch it again
  get_url:
    url: http://tools.example/a,b.tgz
"""
RECIPE = b"# FIXME gr\xfc\xdfe\r\nremote_file '/x' do\r\n\tsource 'http://a.example'\r\nend\r\n"
FILES = {"roles/x/tasks/main.yml": TASKS, "cookbooks/a b/caf\u00e9:1.rb": RECIPE}

ROWS = """\
work/roles/x/tasks/main.yml,4,sec_https,url:'http://tools.example/a,b.tgz'
work/roles/x/tasks/main.yml,9,sec_hard_secr,password:'hunter,2'
work/roles/x/tasks/main.yml,9,sec_hard_pass,password:'hunter,2'
work/roles/x/tasks/main.yml,10,sec_susp_comm,# TODO: ask {someone} for [a vault](...)
work/roles/x/tasks/main.yml,13,sec_https,url:'http://tools.example/a,b.tgz'
work/cookbooks/a b/caf\u00e9:1.rb,1,sec_susp_comm,# FIXME
work/cookbooks/a b/caf\u00e9:1.rb,3,sec_https,source 'http://a.example'
work/roles/x/tasks/gone.yml,3,sec_https,url
work/roles/x/tasks/main.yml,99,sec_https,url
work/roles/x/tasks/main.yml,-1,sec_https,url
/etc/hosts.yml,1,sec_https,url
work/roles/x/tasks/main.yml,4,design_long_statement,too long
this is no row
"""
P_TP = (0.9, 0.2, 0.2, 0.6, 0.1, 0.4, 0.75)
"""What a model might say of the first seven rows."""
THRESHOLD = 0.5


def write_all(folder: Path, rows: str | bytes = ROWS) -> tuple[GlitchReport, Scripts]:
    """The scripts and a report about them."""
    for name, content in FILES.items():
        path = folder / "scripts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    report = folder / "glitch.csv"
    report.write_bytes(rows.encode() if isinstance(rows, str) else rows)
    return open_report(report), Scripts(folder / "scripts", "work")


def judge(report: GlitchReport, scripts: Scripts, p_tp: Sequence[float] = P_TP) -> list[DecidedRow]:
    """Decisions: each row that makes a sample takes the next p(TP)."""
    rest = iter(p_tp)
    return [decide(row, scripts, rest) for row in read_rows(report)]


def decide(row: Row, scripts: Scripts, p_tp: Iterator[float]) -> DecidedRow:
    """A row with the next p(TP) if it makes a sample, else with the reason why not."""
    if isinstance(row.found, BadRow):
        return DecidedRow(row, None, None, reason=Reason(Cause.BAD_ROW, row.found.problem))
    file = scripts.relative(row.found.path)
    made = build_sample(row.found, scripts, technology=None, source="test")
    if isinstance(made, Unusable):
        return DecidedRow(row, file, None, reason=made.reason)
    p = next(p_tp)
    return DecidedRow(row, file, made, p, "TP" if p >= THRESHOLD else "FP")
