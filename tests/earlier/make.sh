#!/bin/bash
# Makes the runs of this directory: unshare --mount --uts tests/earlier/make.sh CHECKOUT VENV OUT
#
# CHECKOUT is a clone at the commit whose runs are to be kept, VENV has its packages; as root. All of it
# happens below a private /srv on a host of another name, by a user of another name, so that the runs
# tell nothing of the machine. Slurm is a few programs of three lines.
#   encoder     trained by a dry run; has filtered a report; an evaluation of it, job 43, waits
#   generative  job 42, two processes under ZeRO-2, run by its batch script
set -euo pipefail
checkout=$(realpath "$1") venv=$(realpath "$2") out=$(realpath "$3")
commit=$(git -C "$checkout" rev-parse --short=7 HEAD)

mkdir -p /tmp/kept-runs
mount --bind "$out" /tmp/kept-runs
mount -t tmpfs tmpfs /srv
mkdir -p /srv/iacfilter_hpc /srv/venv /srv/home /srv/tmp /srv/slurm /srv/models
mount --bind "$checkout" /srv/iacfilter_hpc
mount --bind "$venv" /srv/venv
hostname gpu1
cd /srv

program() {
    { echo '#!/bin/bash' && cat; } >"/srv/slurm/$1"
    chmod +x "/srv/slurm/$1"
}
# shellcheck disable=SC2016
program sbatch <<<'echo "Submitted batch job $NEXT_JOB"'
program squeue <<<''
program sacct <<<''
program scancel <<<''
program scontrol <<'PROGRAM'
case "$*" in
    "show hostnames"*) echo gpu1 ;;
    *"show node"*) echo "NodeName=gpu1 NodeAddr=127.0.0.1" ;;
    *"show job"*) echo "JobId=$SLURM_JOB_ID JobState=RUNNING Reason=None Requeue=1 Restarts=0" ;;
esac
PROGRAM
program srun <<'PROGRAM'
while [[ $1 = --* ]]; do
    path=${1#*=}
    case "$1" in
        --output=*) exec >"${path/\%t/0}" ;;
        --error=*) exec 2>"${path/\%t/0}" ;;
    esac
    shift
done
exec "$@"
PROGRAM

exec env -i PATH=/srv/slurm:/srv/venv/bin:/usr/bin:/bin HOME=/srv/home TMPDIR=/srv/tmp LOGNAME=ada \
    PYTHONPATH=/srv/iacfilter_hpc PYTHONDONTWRITEBYTECODE=1 HF_HUB_OFFLINE=1 \
    IACFILTER_MODELS=/srv/models COMMIT="$commit" bash -euo pipefail <<'MADE'
demo=/srv/iacfilter_hpc/configs/demo
iacfilter() { /srv/venv/bin/python -m "iacfilter_hpc.cli.$1" "${@:2}"; }

iacfilter submit --approach encoder --dry-run --name encoder
printf 'file,repo\nmeadow-ansible/roles/weather_api/tasks/firewall.yml,meadow\n' >/srv/models/repositories.csv
NEXT_JOB=43 iacfilter evaluate encoder --submit --data $demo/test.jsonl --threshold argmax \
    --groups /srv/models/repositories.csv --draws 200 --seed 7 --output /srv/models/again

/srv/venv/bin/python - <<'PYTHON'
from pathlib import Path
from tests.detections.verdicts import write_all

Path("report").mkdir()
write_all(Path("report"))
PYTHON
iacfilter filter --model encoder report/glitch.csv --scripts report/scripts --annotate -o report/filtered.csv

NEXT_JOB=42 iacfilter submit --approach generative --config generative-tiny --name generative \
    --train-file $demo/train.jsonl --validation-file $demo/validation.jsonl --test-file $demo/test.jsonl
SLURM_JOB_ID=42 SLURM_JOB_NODELIST=gpu1 SLURM_CPUS_PER_TASK=2 SLURM_JOB_NUM_NODES=1 SLURM_NODEID=0 \
    SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NTASKS=1 bash /srv/models/generative/generative/slurm/42_submission.sh

# of two checkpoints, the one in the middle
rm -r /srv/models/encoder/encoder/checkpoint-8 /srv/models/generative/generative/checkpoint-4
keep() {
    tar -C /srv -c --owner=0 --group=0 --numeric-owner --sort=name "${@:2}" | xz -9e >"/tmp/kept-runs/$1-$COMMIT.tar.xz"
}
keep encoder models/encoder models/repositories.csv report
keep generative models/generative
MADE
