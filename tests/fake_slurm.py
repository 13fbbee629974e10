"""Programs of a few lines in place of Slurm's: each notes its calls and says what it is told to."""

from __future__ import annotations

from pathlib import Path

PROGRAMS = ("sbatch", "squeue", "sacct", "scancel", "scontrol", "srun")
SEPARATOR = "\x1f"

PROGRAM = """\
#!/bin/sh
name=${0##*/}
cd "${0%/*}/.." || exit 99
printf '%s\\0' "$@" "" >>"$name.arguments"
echo >>"$name.calls"
env -0 >"$name.environment"
for last; do :; done
[ "$name" = sbatch ] && cat "$last" >sbatch.script
[ -f "$name $1.code" ] && name="$name $1"
[ -f "$name.stderr" ] && cat "$name.stderr" >&2
[ -f "$name.stdout" ] && cat "$name.stdout"
[ -f "$name.code" ] && exit "$(cat "$name.code")"
exit 0
"""


class FakeSlurm:
    """What the programs say, and how they were called."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.bin = home / "bin"
        self.bin.mkdir(parents=True)
        for name in PROGRAMS:
            program = self.bin / name
            program.write_text(PROGRAM)
            program.chmod(0o755)
        self.says("sbatch", stdout="Submitted batch job 4242\n")

    def says(
        self, program: str, *, stdout: str | bytes = "", stderr: str = "", code: int = 0
    ) -> None:
        """From now on the program prints this and exits so.

        With its first argument after it, such as `scontrol requeue`: only where it is called so.
        """
        said = stdout.encode() if isinstance(stdout, str) else stdout
        (self.home / f"{program}.stdout").write_bytes(said)
        (self.home / f"{program}.stderr").write_text(stderr)
        (self.home / f"{program}.code").write_text(str(code))

    def queue(self, *entries: tuple[str, ...]) -> None:
        """squeue lists these: job id, name, state, then as many further columns as given."""
        lines = [
            "".join(column + SEPARATOR for column in [*entry, *[""] * (8 - len(entry))])
            for entry in entries
        ]
        self.says("squeue", stdout="".join(f"{line}\n" for line in lines))

    def accounts(self, *lines: str) -> None:
        """sacct prints these lines."""
        self.says("sacct", stdout="".join(f"{line}\n" for line in lines))

    def calls(self, program: str) -> int:
        """How often the program was called."""
        path = self.home / f"{program}.calls"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def arguments(self, program: str) -> list[str]:
        """The arguments of all its calls, one after the other."""
        path = self.home / f"{program}.arguments"
        return [a for a in path.read_text().split("\0") if a] if path.exists() else []

    def commands(self, program: str) -> list[list[str]]:
        """The arguments of each of its calls."""
        path = self.home / f"{program}.arguments"
        calls = path.read_text().split("\0\0") if path.exists() else []
        return [call.split("\0") for call in calls if call]

    def environment(self, program: str) -> dict[str, str]:
        """The environment of its last call."""
        pairs = (self.home / f"{program}.environment").read_bytes().decode().split("\0")
        return dict(pair.split("=", 1) for pair in pairs if pair)

    def script(self) -> str:
        """The script that sbatch was given last."""
        return (self.home / "sbatch.script").read_text(encoding="utf-8")

    def remove(self, program: str) -> None:
        """As if it were not installed; shadows that of the machine only if PATH is ours alone."""
        (self.bin / program).unlink()
