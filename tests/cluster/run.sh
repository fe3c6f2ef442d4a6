#!/bin/bash
# The container and the job scripts on a real Slurm of one node: `make test-cluster`.
# One step after the other, each with its log in runs/test-cluster and a line PASS or FAIL; exit code 1 if one fails.
# Everything else lies in a state folder that is removed at the end.  STATE=DIR keeps it, and uses its base and its
# image's layers again.  PYTHON: the Python that mlpde outside the container runs by.
set -u
cd "$(dirname "$0")/../.." || exit
here=tests/cluster
logs=$PWD/runs/test-cluster
python=${PYTHON:-$PWD/.venv/bin/python}
. $here/slurm.sh

refuse() {
    echo "test-cluster: $1" >&2
    exit 2
}

[ "$(id -u)" = 0 ] || refuse "this needs root, to build an image from nothing and to start Slurm: use a machine of your own"
missing=()
for pair in buildah:buildah ch-run:charliecloud debootstrap:debootstrap munged:munge podman:podman \
    sbatch:slurm-client slurmctld:slurmctld slurmd:slurmd; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
[ ${#missing[@]} = 0 ] || refuse "missing: ${missing[*]}. On Debian: apt-get install --no-install-recommends ${missing[*]}"
"$python" -c 'import mlpde' || refuse "$python has no mlpde: run make venv, or set PYTHON"
keep=${STATE:+yes}
state=${STATE:-$(mktemp -d /var/tmp/mlpde-cluster.XXXXXX)}
mkdir -p "$state" "$logs"
state=$(cd "$state" && pwd)
chmod 711 "$state"
rm -rf "${logs:?}"/* "$state/slurm" "$state/work"
work=$state/work # the folder that jobs start in
store=(--root "$state/storage" --runroot "$state/run")
export OMP_NUM_THREADS=1 USER=${USER:-root} # ch-run asks for USER
. $here/steps.sh

finish() {
    stop_slurm
    podman "${store[@]}" image umount --all >/dev/null 2>&1
    [ "$keep" ] && return
    buildah "${store[@]}" rmi --all --force >/dev/null 2>&1
    umount "$state/storage/overlay" 2>/dev/null
    rm -rf --one-file-system "$state"
}
trap finish EXIT
trap 'exit 130' INT TERM

failed=0 number=0
step() { # NAME: run the function step_NAME
    number=$((number + 1))
    local log start word=PASS
    log=$logs/$(printf %02d $number)-$1.log
    start=$(date +%s)
    (
        set -e # not heeded where the subshell's code is asked for by || or if
        "step_$1"
    ) >"$log" 2>&1
    [ $? = 0 ] || word=FAIL failed=1
    printf '%s  %-22s %4d s  %s\n' $word "$1" $(($(date +%s) - start)) "$(sed -n 's/^FIGURE //p' "$log" | paste -sd '|')"
    [ $word = PASS ] || tail -n 5 "$log" | sed 's/^/      /'
}

step base
step image
step doctor_in_container
step same_numbers
export SLURM_CONF=$state/slurm/slurm.conf
step slurm
step sweep_of_four_jobs
step array_in_container
step mpi_in_container
step killed_job_resumes
step wrong_partition
step no_scheduler
step wrong_mpi
[ $failed = 0 ] && echo "All steps passed; logs: $logs" || echo "Steps failed; logs: $logs"
exit $failed
