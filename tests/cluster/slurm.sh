# A Slurm of one node, all of it in the folder $state/slurm: its own key, ports, configuration and process list.
# Sourced by run.sh, which sets `state`.

start_slurm() {
    local home=$state/slurm cores
    cores=$(nproc)
    mkdir -p "$home"/{spool,save}
    dd if=/dev/urandom of="$home/munge.key" bs=128 count=1 status=none
    chmod 600 "$home/munge.key"
    cat >"$home/slurm.conf" <<END
ClusterName=mlpde
SlurmctldHost=$(hostname)(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$home/munge.socket
CredType=cred/munge
MpiDefault=none
StateSaveLocation=$home/save
SlurmdSpoolDir=$home/spool
SlurmctldPidFile=$home/slurmctld.pid
SlurmdPidFile=$home/slurmd.pid
SlurmctldLogFile=$home/slurmctld.log
SlurmdLogFile=$home/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=2
NodeName=$(hostname -s) NodeAddr=127.0.0.1 CPUs=$((cores > 2 ? cores : 2)) State=UNKNOWN
PartitionName=short Nodes=ALL Default=YES MaxTime=120 State=UP
END
    echo CgroupPlugin=cgroup/v1 >"$home/cgroup.conf" # nothing here uses it; without it slurmd looks for systemd
    export SLURM_CONF=$home/slurm.conf
    # --force: the folders above the state folder may belong to everyone, as /var/tmp does
    daemon munged --foreground --force --key-file="$home/munge.key" --socket="$home/munge.socket" \
        --pid-file="$home/munged.pid" --log-file="$home/munged.log" --seed-file="$home/munge.seed"
    until_true 10 test -S "$home/munge.socket" || return
    daemon slurmctld -D
    daemon slurmd -D
    until_true 30 eval '[ "$(sinfo --noheader --format=%T 2>/dev/null)" = idle ]' || {
        tail -n 20 "$home"/*.log
        return 1
    }
    sinfo --long --Node
}

stop_slurm() {
    [ -e "$state/slurm/processes" ] || return 0
    export SLURM_CONF=$state/slurm/slurm.conf
    scancel --me 2>/dev/null
    until_true 20 eval '[ -z "$(squeue --noheader 2>/dev/null)" ]'
    local process
    for process in $(tac "$state/slurm/processes"); do # slurmd first, munged last
        kill "$process" 2>/dev/null
        until_true 10 eval "! kill -0 $process 2>/dev/null" || kill -KILL "$process"
    done
    rm "$state/slurm/processes"
}

daemon() { # start a program in the background and note its number
    setsid "$@" >>"$state/slurm/${1##*/}.out" 2>&1 </dev/null &
    echo $! >>"$state/slurm/processes"
}

until_true() { # SECONDS COMMAND...: try once in 0.2 s
    local end=$(($(date +%s) + $1))
    shift
    until "$@"; do
        [ "$(date +%s)" -lt $end ] || return 1
        sleep 0.2
    done
}
