#!/bin/sh
# Install the Debian packages that the tests on a Slurm cluster and in a browser need, or name them.
set -eu

cd "$(dirname "$0")"
packages=$(sed 's/#.*//' packages.txt ../browser/packages.txt)
missing=
for package in $packages; do
    if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
        missing="$missing $package"
    fi
done

if [ -z "$missing" ]; then
    exit 0
elif [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    # packages that start a service on installation must not: the tests start their own
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
    fi
    apt-get update -q
    # shellcheck disable=SC2086 # one word a package
    apt-get install -y -q --no-install-recommends $missing
else
    echo "Tests on a private Slurm cluster or in a browser are skipped: they need Debian's$missing" >&2
    echo "(root can install them here on Debian or Ubuntu; the cluster's tests need root anyway)" >&2
fi
