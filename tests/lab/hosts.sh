#!/usr/bin/env bash
# One real host on this machine, systemd and all: PID 1, sshd, sudo, the distribution's nginx, an address. Needs root.
#
#   hosts.sh tree            make the root tree once: half a minute of apt; nothing when it is there
#   hosts.sh up              boot a host on a throw-away copy of the tree, ready when this returns
#   hosts.sh exec CMD...     run a command in it, as its root
#   hosts.sh reboot          the same files, booted anew
#   hosts.sh near CMD...     run a command in the network that its address is in
#   hosts.sh down            end it; nothing is left but the tree
#
# ZDD_LAB (a folder below XDG_CACHE_HOME) holds the tree, the ssh key and the log; SUITE is Debian's name of a release.
set -euo pipefail

SUITE=${SUITE:-bookworm}
LAB=${ZDD_LAB:-${XDG_CACHE_HOME:-$HOME/.cache}/zdd-tests-lab}
TREE=$LAB/tree-$SUITE
HERE=$LAB/host          # a tmpfs: the host's own files over those of the tree
ADDRESS=198.18.79.2
NEAR=zddlab-near FAR=zddlab-host
PACKAGES=systemd,systemd-sysv,dbus,libpam-systemd,dbus-user-session,iproute2,procps,sudo,openssh-server,nginx-light
PACKAGES+=,python3,python3-venv,curl,git,nodejs,openssl
LIMITS=$(echo /sys/fs/cgroup/{memory,cpu,cpuacct})  # where machines with control groups of version 1 have them

child() { awk 'NF {print $1; exit}' /proc/"$1"/task/*/children; }
init_of() { child "$(child "$(cat "$LAB/pid")")"; }  # the host's PID 1, which a reboot replaces

tools() {
  local tool missing=
  for tool in mmdebstrap systemd-nspawn ip ssh-keygen; do command -v $tool >/dev/null || missing=yes; done
  [ "$missing" ] || return 0
  apt-get update -q
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
    systemd-container mmdebstrap iproute2 openssh-client
}

tree() {
  [ "$(cat "$TREE/.complete" 2>/dev/null)" = "$PACKAGES" ] && return
  tools >/dev/null
  rm -rf "$TREE"; mkdir -p "$LAB"
  mmdebstrap --quiet --variant=minbase --include="$PACKAGES" "$SUITE" "$TREE"
  rm -f "$TREE/etc/hostname"
  [ -f "$LAB/id" ] || ssh-keygen -q -t ed25519 -N '' -f "$LAB/id"
  echo "$PACKAGES" >"$TREE/.complete"
}

network() {
  ip netns add $NEAR; ip netns add $FAR
  ip -n $NEAR link add eth0 type veth peer name eth0 netns $FAR
  ip -n $NEAR addr add 198.18.79.1/24 dev eth0; ip -n $FAR addr add $ADDRESS/24 dev eth0
  for namespace in $NEAR $FAR; do ip -n $namespace link set lo up; ip -n $namespace link set eth0 up; done
}

up() {
  tree; down; network
  mkdir -p "$HERE"; mount -t tmpfs -o mode=755 zddlab "$HERE"
  mkdir -p "$HERE"/{own,work,root}
  mount -t overlay -o "lowerdir=$TREE,upperdir=$HERE/own,workdir=$HERE/work" zddlab "$HERE/root"
  install -d -m 700 "$HERE/root/root/.ssh"; install -m 600 "$LAB/id.pub" "$HERE/root/root/.ssh/authorized_keys"
  echo 127.0.1.1 shop >>"$HERE/root/etc/hosts"
  setsid "$0" boot </dev/null >"$LAB/log" 2>&1 &
  echo $! >"$LAB/pid"
  ready
}

boot() {  # it ends with status 133 when the host wants to be booted again
  for group in $LIMITS; do
    [ ! -d "$group" ] || { mkdir -p "$group/zddlab" && echo $$ >"$group/zddlab/cgroup.procs"; }
  done
  while  # in a container they are mounted read-only, and its systemd would set no limits
    systemd-nspawn -q -D "$HERE/root" -M zddlab --hostname=shop --register=no --keep-unit --console=pipe \
      --link-journal=no --network-namespace-path=/run/netns/$FAR \
      sh -c 'for group; do mount -o remount,bind,rw "$group" 2>/dev/null; done; exec /sbin/init' limits $LIMITS ||
      [ $? = 133 ]
  do [ -e "$LAB/pid" ] || break; done
}

ready() {
  for _ in $(seq 1200); do
    case $(nsenter -t "$(init_of 2>/dev/null || echo 0)" -m -u -p -n -- systemctl is-system-running 2>/dev/null || true) in
      running | degraded) return ;;
    esac
    sleep 0.1
  done
  echo "the host did not boot; see $LAB/log" >&2; exit 1
}

reboot() {
  local old; old=$(init_of)
  nsenter -t "$old" -a -- systemctl reboot || true
  while [ "$(init_of 2>/dev/null || echo "$old")" = "$old" ]; do sleep 0.1; done
  ready
}

down() {
  local boot; boot=$(cat "$LAB/pid" 2>/dev/null || true)
  rm -f "$LAB/pid"
  if [ -n "$boot" ]; then
    kill -KILL "$(child "$(child "$boot")")" 2>/dev/null || true
    for _ in $(seq 100); do [ -d "/proc/$boot" ] || break; sleep 0.1; done
  fi
  for mount in "$HERE/root" "$HERE"; do
    for _ in $(seq 50); do mountpoint -q "$mount" || break; umount "$mount" 2>/dev/null || sleep 0.1; done
  done
  for namespace in $NEAR $FAR; do ip netns del $namespace 2>/dev/null || true; done
  for group in $LIMITS; do
    for _ in $(seq 50); do  # a process that is being reaped is still in its group
      [ -d "$group/zddlab" ] || break
      find "$group/zddlab" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.1
    done
  done
}

case ${1:-} in
  tree | up | boot | reboot | down) "$1" ;;
  exec) shift; exec nsenter -t "$(init_of)" -a -- "$@" ;;
  near) shift; exec ip netns exec $NEAR "$@" ;;
  *) sed -n '2,12p' "$0"; exit 2 ;;
esac
