"""The programs a test cluster consists of, and whether this machine can run them."""

import os
import shutil
import subprocess
from pathlib import Path

SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
DAEMONS = ("munged", "mariadbd", "mariadb-install-db", "slurmdbd", "slurmctld", "slurmd")
CLIENTS = ("sbatch", "srun", "squeue", "sacct", "sacctmgr", "scancel", "scontrol", "sinfo")
DATABASE_OPTIONS = (
    "--user=root",
    "--skip-networking",
    "--innodb-buffer-pool-size=32M",
    "--innodb-log-file-size=16M",
    "--innodb-flush-log-at-trx-commit=0",  # nobody needs this data after a power cut
    "--innodb-lock-wait-timeout=900",
    "--skip-log-bin",
    "--performance-schema=OFF",
)


def program(name: str) -> str:
    return shutil.which(name, path=SEARCH_PATH) or name


def obstacle() -> str | None:
    """Why no cluster can run here, or None."""
    if os.geteuid() != 0:
        return "a private Slurm cluster needs root"
    missing = [name for name in (*DAEMONS, *CLIENTS) if not shutil.which(name, path=SEARCH_PATH)]
    return f"a private Slurm cluster needs {', '.join(missing)}" if missing else None


def create_database(folder: Path) -> None:
    """Initialise a MariaDB data folder; clusters start from a copy of it."""
    subprocess.run(
        [
            program("mariadb-install-db"),
            "--no-defaults",
            f"--datadir={folder}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            *DATABASE_OPTIONS,
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
