#!/usr/bin/env bash
# A SLURM cluster of this one machine, to try things on: one_node.sh start|stop FOLDER
#
# It takes Debian's or Ubuntu's packages slurm-wlm and munge, and needs no service manager, no accounting data base and
# no other user: all daemons belong to whoever calls it, and all that they write lies in FOLDER. `start` prints what to
# put into the environment of sbatch and its like. CPUS=8 tells SLURM of more cores than there are. Not for production:
# it has no cgroups, so that nobody is held to the memory that he asked for.
set -euo pipefail

command=${1:?start or stop} folder=$(realpath -m "${2:?a folder}")
host=$(hostname -s) user=$(id -un)

stop() {
    for name in slurmd slurmctld munged; do
        [ -f "$folder/$name.pid" ] && kill "$(cat "$folder/$name.pid")" 2>/dev/null && rm -f "$folder/$name.pid"
    done
    return 0
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

start() {
    mkdir -p "$folder/state" "$folder/spool" "$folder/munge"
    chmod 700 "$folder/munge"
    [ -f "$folder/munge/key" ] || (umask 077 && head -c 128 /dev/urandom >"$folder/munge/key")
    cat >"$folder/slurm.conf" <<CONF
ClusterName=one
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
MinJobAge=3600
KillWait=5
NodeName=$host NodeAddr=127.0.0.1 CPUs=${CPUS:-$(nproc)} RealMemory=$(free -m | awk '/^Mem:/ { print $2 }')
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
    trap 'stop; exit 1' INT TERM
    munged --force --socket="$folder/munge/socket" --key-file="$folder/munge/key" --pid-file="$folder/munged.pid" \
        --log-file="$folder/munge/log" --seed-file="$folder/munge/seed"
    slurmctld -f "$folder/slurm.conf"
    slurmd -f "$folder/slurm.conf"
    export SLURM_CONF="$folder/slurm.conf"
    for _ in $(seq 60); do
        [ "$(sinfo --noheader --format=%T 2>/dev/null)" = idle ] && { echo "export SLURM_CONF=$folder/slurm.conf"; return; }
        sleep 0.5
    done
    echo "The node did not come up; its log ends:" >&2
    tail -n 5 "$folder/slurmctld.log" "$folder/slurmd.log" >&2
    stop
    exit 1
}

case $command in
start | stop) "$command" ;;
*) echo "one_node.sh start|stop FOLDER" >&2; exit 2 ;;
esac
