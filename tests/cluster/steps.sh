# The steps of run.sh, each a function that ends with an error where something is not as it should be.

mlpde_outside() { "$python" -m mlpde.cli "$@"; }

mlpde_inside() { # by Charliecloud, as Apptainer would: a read-only folder, entered as a user may
    $(cat "$state/ch-run") mlpde-entry mlpde "$@"
}

step_base() {
    mkdir -p "$work"
    if podman "${store[@]}" image exists mlpde-base; then
        echo "FIGURE kept from an earlier run"
        return
    fi
    debootstrap --variant=minbase trixie "$state/base"
    # A site may have certificates of its own, between it and PyPI.
    mkdir -p "$state/base/usr/local/share/ca-certificates"
    find /usr/local/share/ca-certificates -name '*.crt' -exec cp {} "$state/base/usr/local/share/ca-certificates" \;
    tar --directory "$state/base" --create . | podman "${store[@]}" import - mlpde-base
    rm -rf "$state/base"
}

step_image() {
    local torch=cpu start image
    "$(dirname "$python")/uv" pip install --no-cache --dry-run --target "$state/none" --torch-backend cpu torch || torch=
    [ $torch ] || echo "FIGURE no index of torch without CUDA within reach: PyPI's torch"
    start=$(date +%s)
    buildah "${store[@]}" bud --layers --isolation chroot --build-arg BASE=localhost/mlpde-base \
        --build-arg TORCH_BACKEND="$torch" --file containers/Dockerfile --tag mlpde .
    echo "FIGURE built in $(($(date +%s) - start)) s"
    echo "FIGURE $(podman "${store[@]}" images --format '{{.Size}}' localhost/mlpde)"
    podman "${store[@]}" image inspect --format '{{range .Config.Env}}{{println .}}{{end}}' mlpde | grep . >"$state/environment"
    image=$(podman "${store[@]}" image mount mlpde)
    echo "ch-run --set-env=$state/environment --bind $work:/mnt --cd /mnt $image --" >"$state/ch-run"
}

step_doctor_in_container() {
    mlpde_inside doctor
    local start
    start=$(date +%s.%N)
    mlpde_inside solve square_poisson --solver fem --out runs/first
    test -e "$work/runs/first/metrics.json"
    echo "FIGURE start to first result $(echo "$(date +%s.%N) - $start" | bc) s"
}

step_same_numbers() {
    local solver
    for solver in fem rfm; do
        mlpde_inside solve square_poisson --solver $solver --out runs/inside-$solver
        mlpde_outside solve square_poisson --solver $solver --out "$work/runs/outside-$solver"
        "$python" tests/cluster/same_numbers.py "$work"/runs/{inside,outside}-$solver
    done
}

step_slurm() { start_slurm; }

step_sweep_of_four_jobs() {
    mlpde_outside sweep square_poisson --solver rfm --solver fem --seed 0 --seed 1 --slurm --partition short \
        --workers 2 --out "$work/runs/sweep"
    test "$(find "$work"/runs/sweep/runs -name metrics.json | wc -l)" = 4
    test -e "$work/runs/sweep/report.html"
}

submit() { # SCRIPT OPTIONS... -- ARGUMENTS...: one of containers/slurm, and wait for its end
    local script=$PWD/containers/slurm/$1 options=()
    shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    [ $# = 0 ] || shift
    MLPDE_RUN=$(cat "$state/ch-run") sbatch --chdir "$work" "${options[@]}" "$script" "$@"
}

step_array_in_container() {
    local order=(square_poisson --solver rfm --solver fem --seed 0 --seed 1 --out runs/array)
    submit array.sh --wait --array=0-2 -- "${order[@]}"
    cat "$work"/mlpde-*_*.log
    test "$(ls -d "$work"/runs/array/runs/square_poisson-{rfm,fem}-seed{0,1}/metrics.json | wc -l)" = 4
    submit node.sh --wait --dependency=singleton --cpus-per-task=1 --output=collected.log -- "${order[@]}"
    grep -q "^4 of 4 runs are done, 0 to make" "$work/collected.log"
    test -e "$work/runs/array/report.html"
    "$python" tests/cluster/same_numbers.py "$work"/runs/{array/runs/square_poisson-rfm-seed0,outside-rfm}
}

step_mpi_in_container() {
    submit mpi.sh --wait --nodes=1 --ntasks-per-node=2 --output=mpi.log -- \
        solve square_poisson --solver fem --out runs/mpi || { cat "$work/mpi.log"; return 1; }
    cat "$work/mpi.log"
    grep -q '"processes": 2' "$work/runs/mpi/metrics.json"
    "$python" tests/cluster/same_numbers.py "$work"/runs/{mpi,outside-fem}
}

done_runs() { # results appear under a temporary name first
    find "$work/runs/killed/runs" -path '*-seed[0-9]/metrics.json' 2>/dev/null | grep -v '/\.' | wc -l
}

step_killed_job_resumes() {
    local order=(square_poisson --solver rfm --seed 0 --seed 1 --seed 2 --seed 3 --out runs/killed) job left
    job=$(submit node.sh --parsable --cpus-per-task=1 --output=killed.log -- "${order[@]}")
    until_true 120 eval '[ "$(done_runs)" -gt 0 ]'
    scancel --signal=KILL --full "$job"
    until_true 60 eval '[ -z "$(squeue --noheader --jobs '"$job"' 2>/dev/null)" ]'
    left=$(done_runs)
    cat "$work/killed.log"
    test "$left" -gt 0 -a "$left" -lt 4
    submit node.sh --wait --cpus-per-task=1 --output=resumed.log -- "${order[@]}" || { cat "$work/resumed.log"; return 1; }
    cat "$work/resumed.log"
    grep -q "^$left of 4 runs are done, $((4 - left)) to make" "$work/resumed.log"
    test "$(done_runs)" = 4
    echo "FIGURE $left of 4 runs were done when it was killed"
}

says() { # CODE TEXT COMMAND...: the command ends with this code and one sentence that has the text
    local code=$1 text=$2 found=0
    shift 2
    "$@" >"$state/said" 2>&1 || found=$?
    cat "$state/said"
    test $found = "$code"
    test "$(grep -c '^Error: ' "$state/said")" = 1
    grep '^Error: ' "$state/said" | grep -qF -- "$text"
}

step_wrong_partition() {
    says 2 "Slurm has no partition 'none': there is short" mlpde_outside sweep square_poisson --solver rfm --slurm --partition none --out "$work/runs/none"
}

step_no_scheduler() { # as in the container, which has no Slurm
    says 2 "--slurm: Slurm's sbatch" mlpde_inside sweep square_poisson --solver rfm --slurm --out runs/none
}

step_wrong_mpi() {
    says 2 "srun --mpi=pmi2" srun --mpi=none --ntasks=2 $(cat "$state/ch-run") mlpde-entry mlpde list
}
