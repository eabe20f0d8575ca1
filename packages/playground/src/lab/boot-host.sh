#!/bin/bash
# Boots one lab host and stays until it is off. In a mount namespace of its own: nothing is left to unmount.
# usage: boot-host.sh NAME FOLDER IMAGE NETNS CGROUP UUID SHARED
set -euo pipefail
name=$1 folder=$2 image=$3 netns=$4 cgroup=$5 uuid=$6 shared=$7
# Where the machine itself still has version 1, version 2 alone is shown inside.
[ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] || mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p "/sys/fs/cgroup/$cgroup"
echo 0 >"/sys/fs/cgroup/$cgroup/cgroup.procs"
mkdir -p /run/systemd/nspawn
mount -t tmpfs -o mode=700 tmpfs /run/systemd/nspawn
mkdir -p "$folder"/{upper,work,root}
mount -t overlay "lab-$name" -o "lowerdir=$image,upperdir=$folder/upper,workdir=$folder/work" "$folder/root"
exec systemd-nspawn --quiet --directory="$folder/root" --machine="$name" --hostname="$name" --uuid="$uuid" \
  --register=no --keep-unit --network-namespace-path="/run/netns/$netns" --resolv-conf=off --timezone=off \
  --link-journal=no --console=read-only --bind-ro="$shared:/mnt" --boot
