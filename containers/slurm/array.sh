#!/bin/bash
#SBATCH --job-name=mlpde
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --time=60
#SBATCH --output=mlpde-%A_%a.log
# Cases x solvers x seeds, one job each, in containers: the array ends at cases * solvers * seeds - 1.
#   CASES="square_poisson l_shape" SOLVERS="rfm fem" SEEDS="0 1 2" \
#       sbatch --partition=NAME --array=0-11 containers/slurm/array.sh
# The same command again makes what is missing; a killed run goes on from its checkpoint.
set -eu
read -ra cases <<<"$CASES"
read -ra solvers <<<"$SOLVERS"
read -ra seeds <<<"$SEEDS"
total=$((${#cases[@]} * ${#solvers[@]} * ${#seeds[@]}))
number=$SLURM_ARRAY_TASK_ID
if [ "$number" -ge "$total" ]; then
    echo "array.sh: $total runs are asked for: submit with --array=0-$((total - 1))" >&2
    exit 2
fi
seed=${seeds[number % ${#seeds[@]}]}
solver=${solvers[number / ${#seeds[@]} % ${#solvers[@]}]}
case=${cases[number / ${#seeds[@]} / ${#solvers[@]}]}
out=runs/array/$(basename "$case" .py)-$solver-$seed
if [ -e "$out/metrics.json" ]; then
    echo "$out is done"
    exit
fi
run=${MLPDE_RUN:-apptainer exec mlpde.sif}
$run sh -c 'command -v mlpde-entry' >/dev/null || {
    echo "array.sh: '$run' starts no container with mlpde: load the runtime (module load apptainer), build containers/mlpde.def, or set MLPDE_RUN" >&2
    exit 2
}
$run mlpde-entry mlpde solve "$case" --solver "$solver" --seed "$seed" --out "$out" --resume
