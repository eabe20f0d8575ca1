#!/bin/sh
# Makes the root folder of a lab's hosts: a small Debian with systemd and what Siding's hosts need.
# usage: make-image.sh FOLDER CODENAME
set -eu
root=$1
sources=''
for file in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources; do
  [ ! -f "$file" ] || sources="$sources $file"
done
# shellcheck disable=SC2086
mmdebstrap --mode=root --variant=minbase --quiet \
  --include=systemd,systemd-sysv,dbus,iproute2,procps,libstdc++6,nginx-light,nats-server \
  --aptopt='APT::Install-Recommends "false"' \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' \
  "$2" "$root" $sources
units=$root/etc/systemd/system
# What a host in a container has no use for, or what would wait for the network.
for unit in apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service dpkg-db-backup.timer \
  fstrim.timer console-getty.service getty.target systemd-networkd.service systemd-timesyncd.service \
  dev-hugepages.mount sys-fs-fuse-connections.mount; do
  ln -sfn /dev/null "$units/$unit"
done
# Which of these a host runs is decided when it is set up.
rm -f "$units/multi-user.target.wants/nginx.service" "$units/multi-user.target.wants/nats-server.service"
rm -f "$root/etc/hostname" "$root/etc/resolv.conf"
ln -sfn /lib/systemd/system/multi-user.target "$units/default.target"
: >"$root/etc/machine-id"
# A journal on disk survives a power cut.
mkdir -p "$root/var/log/journal"
