#!/bin/sh
# Sets a host up for Siding from the release tarball that this file is in, upgrades it, or removes it. Run it as root
# from the unpacked tarball; run it again as often as you like.
set -eu

usage() {
  cat <<'USAGE'
usage: install.sh agent|control-plane|edge [options]      set up; what is there already is kept
       install.sh agent|control-plane|edge --upgrade      this tarball's program and unit; config and state are kept
       install.sh agent|control-plane|edge --remove       program and unit go; config and state stay
       install.sh agent|control-plane|edge --purge        everything goes, releases and the ledger included

agent, edge (an option can be given as a variable as well: --host-id as SIDING_HOST_ID):
  --host-id ID           the host's id, as the control plane's config has it
  --address ADDRESS      where edges reach this host's services (edge: where this host is reached)
  --control-plane URL    http://HOST:PORT
  --nats URL             nats://HOST:PORT
  --token-file FILE      the host's secret; it is copied (or SIDING_TOKEN)
  --label KEY=VALUE      again for each label
edge:
  --mode inner|include   an nginx of Siding's own behind yours (inner, unless given), or yours itself, which is then
                         reloaded: that needs more privileges (docs/edge.md)
agent:
  --roles host[,edge]    host unless given; with edge, this agent runs the inner nginx too
  --allow-unit UNIT      a template unit of yours that a service may name, such as web@.service, or a unit that may be
                         adopted, such as shop.service; again for each
  --allow-user USER      a user that a service may run as; again for each
control-plane:
  --listen ADDRESS:PORT       of the HTTP API (127.0.0.1:8600 unless given)
  --nats-listen ADDRESS:PORT  of the managed nats-server (127.0.0.1:4222 unless given)
  --host ID                   a host that may connect, again for each; its secret is made in /etc/siding/tokens/ID
all:
  --no-start             enable the unit, but don't start it
USAGE
}

fail() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }
say() { printf 'siding: %s\n' "$*"; }

here=$(cd "$(dirname "$0")" && pwd)
etc=/etc/siding
lib=/usr/lib/siding
units=/etc/systemd/system
newline='
'

# What stands between single quotes in YAML, and what can't.
plain() {
  case $2 in
    *\'* | *"$newline"*) fail "$1: quotes and line breaks can't be in it: $2" ;;
  esac
}

read_arguments() {
  case ${1:-} in
    agent | edge | control-plane) role=$1; shift ;;
    -h | --help | help) usage; exit 0 ;;
    '') usage >&2; exit 2 ;;
    *) usage >&2; fail "there is no role '$1'" ;;
  esac
  verb=install start=yes
  host_id=${SIDING_HOST_ID:-} address=${SIDING_ADDRESS:-} control_plane=${SIDING_CONTROL_PLANE:-}
  nats=${SIDING_NATS:-} token_file=${SIDING_TOKEN_FILE:-} token=${SIDING_TOKEN:-} roles=${SIDING_ROLES:-}
  mode=${SIDING_EDGE_MODE:-}
  listen=${SIDING_LISTEN:-} nats_listen=${SIDING_NATS_LISTEN:-}
  labels='' allow_units='' allow_users='' hosts=''
  plain environment "$host_id$address$control_plane$nats$roles$listen$nats_listen"
  while [ $# -gt 0 ]; do
    case $1 in
      --upgrade) verb=upgrade; shift; continue ;;
      --remove) [ "$verb" = purge ] || verb=remove; shift; continue ;;
      --purge) verb=purge; shift; continue ;;
      --no-start) start=no; shift; continue ;;
      -h | --help) usage; exit 0 ;;
    esac
    [ $# -ge 2 ] || fail "'$1' is no option, or it lacks its value (--help lists them)"
    read_option "$1" "$2"
    shift 2
  done
}

read_option() {
  plain "$1" "$2"
  case $role:$1 in
    agent:--host-id | edge:--host-id) host_id=$2 ;;
    agent:--address | edge:--address) address=$2 ;;
    agent:--control-plane | edge:--control-plane) control_plane=$2 ;;
    agent:--nats | edge:--nats) nats=$2 ;;
    agent:--token-file | edge:--token-file) token_file=$2 ;;
    agent:--label | edge:--label)
      case $2 in *=*) ;; *) fail "--label $2: KEY=VALUE is needed" ;; esac
      labels="$labels  '${2%%=*}': '${2#*=}'$newline" ;;
    edge:--mode)
      case $2 in inner | include) mode=$2 ;; *) fail "--mode $2: inner or include" ;; esac ;;
    agent:--roles) roles=$2 ;;
    agent:--allow-unit) allow_units="$allow_units    - '$2'$newline" ;;
    agent:--allow-user) allow_users="$allow_users    - '$2'$newline" ;;
    control-plane:--listen) listen=$2 ;;
    control-plane:--nats-listen) nats_listen=$2 ;;
    control-plane:--host) hosts="$hosts$2 " ;;
    *) fail "'$1' is no option of $role (--help lists them)" ;;
  esac
}

check_machine() {
  [ "$(id -u)" = 0 ] || fail "root is needed: sudo $0 …"
  [ "$(uname -s)" = Linux ] || fail "Siding runs on Linux; this is $(uname -s)"
  [ -d /run/systemd/system ] || fail "systemd does not run this machine"
  for tool in systemctl systemd-notify useradd; do
    command -v "$tool" >/dev/null || fail "the program $tool is missing"
  done
}

check_tarball() {
  [ -f "$here/VERSION" ] || fail "$here is no unpacked release: there is no VERSION"
  version=$(cat "$here/VERSION")
  "$here/bin/node" --version >/dev/null 2>&1 ||
    fail "this tarball's Node does not run here ($(uname -m)): is it for another architecture?"
  case $role:$roles in
    edge:* | agent:*edge*) command -v nginx >/dev/null || fail "nginx is missing: apt-get install nginx" ;;
    control-plane:*) command -v nats-server >/dev/null || say "note: there is no nats-server; managed NATS needs it" ;;
  esac
}

unit() { echo "siding-$1.service"; }
config() { echo "$etc/$role.yaml"; }
installed() { [ -f "$units/$(unit "$1")" ]; }

check_neighbours() {
  case $role in agent) other=edge ;; edge) other=agent ;; *) return 0 ;; esac
  if installed $other; then
    fail "$(unit $other) is installed here: a host has one agent. For both roles: install.sh agent --roles host,edge"
  fi
}

make_user() {
  id -u "$1" >/dev/null 2>&1 || useradd --system --user-group --no-create-home --home-dir /nonexistent \
    --shell /usr/sbin/nologin "$1"
}

owner() {
  case $role in agent) echo root ;; edge) echo siding-edge ;; control-plane) echo siding ;; esac
}

make_users() {
  case $role in
    agent) make_user siding-service ;;
    *) make_user "$(owner)" ;;
  esac
}

# The program, beside any other version of it; the link is switched by one rename.
put_program() {
  install -d -m 755 "$lib" "$lib/$version"
  for part in bin lib systemd install.sh LICENSE VERSION; do
    if diff -rq "$here/$part" "$lib/$version/$part" >/dev/null 2>&1; then continue; fi
    rm -rf "$lib/$version/$part.new" "$lib/$version/$part.old"
    cp -R "$here/$part" "$lib/$version/$part.new"
    if [ -e "$lib/$version/$part" ]; then mv "$lib/$version/$part" "$lib/$version/$part.old"; fi
    mv "$lib/$version/$part.new" "$lib/$version/$part"
    rm -rf "$lib/$version/$part.old"
  done
  chown -R root:root "$lib/$version"
  ln -sfn "$version" "$lib/current.new"
  mv -T "$lib/current.new" "$lib/current"
  for old in "$lib"/*/; do
    case $old in "$lib/$version/" | "$lib/current/") ;; *) rm -rf "$old" ;; esac
  done
}

put_unit() {
  install -m 644 "$here/systemd/$(unit "$role")" "$units/$(unit "$role")"
  if [ "$role" = edge ]; then put_privileges; fi
  systemctl daemon-reload
}

drop_in=$units/siding-edge.service.d/siding-include.conf

# What reloading the host's own nginx needs, as the config at hand has it; by default none of it.
put_privileges() {
  if sed 's/#.*//' "$(config)" | grep -Eq "mode:[[:space:]]*[\"']?include"; then
    install -D -m 644 "$here/systemd/siding-edge-include.conf" "$drop_in"
  else
    rm -f "$drop_in"
  fi
}

make_folders() {
  install -d -m 755 "$etc"
  case $role in
    agent) install -d -m 755 /opt/siding ;;
    control-plane) install -d -m 750 -g siding "$etc/tokens" ;;
  esac
  case $role:$roles in
    edge:*) install -d -m 755 -o siding-edge -g siding-edge "$etc/nginx" "$etc/nginx/http" "$etc/nginx/stream" ;;
    agent:*edge*) install -d -m 755 "$etc/nginx" "$etc/nginx/http" "$etc/nginx/stream" ;;
  esac
}

need() { [ -n "$2" ] || fail "$1 is needed to set up $role (--help lists the options)"; }

put_token() {
  secret=$etc/$role.token
  if [ -n "$token_file" ]; then
    [ -r "$token_file" ] || fail "--token-file $token_file can't be read"
    token=$(cat "$token_file")
  fi
  [ -n "$token" ] || [ -f "$secret" ] || fail "--token-file is needed: the secret of this host"
  [ -n "$token" ] || return 0
  (umask 077 && printf '%s\n' "$token" >"$secret.new")
  chown "root:$(owner)" "$secret.new"
  chmod 640 "$secret.new"
  mv "$secret.new" "$secret"
}

# "key:" with the entries below it, or nothing.
block() { [ -z "$2" ] || printf '%s:\n%s' "$1" "$2"; }

agent_config() {
  cat <<CONFIG
# Siding's agent. Changes count from its next start: systemctl restart $(unit "$role")
hostId: '$host_id'
address: '$address'
roles: [${roles:-$1}]
tokenFile: $etc/$role.token
nats: { url: '$nats' }
controlPlane: { url: '$control_plane' }
dataDir: /var/lib/siding/$role
CONFIG
  block labels "$labels"
  if [ -n "$mode" ]; then echo "edge: { mode: $mode }"; fi
  [ "$role" = agent ] || return 0
  # Which user a service runs as that names none, and what services may ask for by name.
  echo "driver: systemd"
  echo "runAs: siding-service"
  if [ -n "$allow_units$allow_users" ]; then
    echo "allow:"
    block "  units" "$allow_units"
    block "  users" "$allow_users"
  fi
}

control_plane_config() {
  cat <<CONFIG
# Siding's control plane. Changes count from its next start: systemctl restart $(unit control-plane)
dataDir: /var/lib/siding/control-plane
http: { listen: '${listen:-127.0.0.1:8600}' }
nats: { managed: { listen: '${nats_listen:-127.0.0.1:4222}' } }
CONFIG
  if [ -n "$hosts" ]; then
    echo "hosts:"
    for id in $hosts; do printf "  - { id: '%s', tokenFile: '%s/tokens/%s' }\n" "$id" "$etc" "$id"; done
  fi
}

put_host_tokens() {
  for id in $hosts; do
    case $id in *[!a-z0-9-]*) fail "--host $id: a host's id has small letters, digits and -" ;; esac
    secret=$etc/tokens/$id
    if [ ! -f "$secret" ]; then
      (umask 077 && head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$secret.new")
      mv "$secret.new" "$secret"
    fi
    chown root:siding "$secret"
    chmod 640 "$secret"
  done
}

check_config() {
  case $role in
    control-plane) "$here/bin/node" "$here/lib/siding-control-plane.mjs" --config "$1" check ;;
    *) "$here/bin/node" "$here/lib/siding-agent.mjs" --config "$1" --check ;;
  esac
}

# A config that is there is the admin's: it is kept, and other options than its own are refused.
put_config() {
  file=$(config)
  if [ -f "$file" ] && ! asks_for_something; then
    say "keeping $file"
    check_config "$file" || fail "$file is not in order (see above)"
    return 0
  fi
  case $role in
    control-plane) put_host_tokens; control_plane_config >"$file.new" ;;
    *)
      need --host-id "$host_id"; need --address "$address"
      need --control-plane "$control_plane"; need --nats "$nats"
      put_token
      if [ "$role" = edge ]; then agent_config edge; else agent_config host; fi >"$file.new" ;;
  esac
  chown "root:$(owner)" "$file.new"
  chmod 640 "$file.new"
  check_config "$file.new" || { rm -f "$file.new"; fail "these options make no valid config (see above)"; }
  if [ -f "$file" ] && ! cmp -s "$file" "$file.new"; then
    rm -f "$file.new"
    fail "$file is there already and says something else: edit it, or remove it first"
  fi
  mv "$file.new" "$file"
}

asks_for_something() {
  [ -n "$host_id$address$control_plane$nats$token_file$token$labels$mode$listen$nats_listen$hosts" ]
}

start_unit() {
  systemctl enable --quiet "$(unit "$role")"
  [ "$start" = yes ] || return 0
  systemctl restart "$(unit "$role")" || {
    journalctl --no-pager --lines 20 --output cat --unit "$(unit "$role")" >&2 || true
    fail "$(unit "$role") did not start (its last lines are above)"
  }
}

set_up() {
  check_tarball
  check_neighbours
  make_users
  make_folders
  put_config
  put_program
  put_unit
  start_unit
  say "$role $version is set up"
  case $role:$roles in
    edge:* | agent:*edge*) say "nginx needs this line in its http {}: include $etc/nginx/http/*.conf;" ;;
    control-plane:*) say "the admin's token is in /var/lib/siding/control-plane/admin.token" ;;
  esac
}

upgrade() {
  installed "$role" || fail "there is no $role here to upgrade"
  if grep -q '^roles:.*edge' "$(config)"; then roles=edge; fi
  check_tarball
  check_config "$(config)" || fail "$version does not take $(config) as it is (see above); nothing was changed"
  make_users
  make_folders
  put_program
  put_unit
  start_unit
  say "$role is at $version"
}

# Services and the inner nginx outlive their agent, so they are ended by name.
tear_down() {
  [ "$role" != control-plane ] && [ -f "$(config)" ] && [ -e "$lib/current" ] || return 0
  set -- "$lib/current/bin/node" "$lib/current/lib/siding-agent.mjs" --config "$(config)" --teardown
  if [ "$role" = edge ] && [ ! -f "$drop_in" ]; then set -- setpriv --reuid siding-edge --regid siding-edge --clear-groups "$@"; fi
  "$@" || say "not everything could be ended (see above)"
}

remove() {
  if installed "$role"; then
    systemctl disable --quiet --now "$(unit "$role")" || true
    tear_down
    rm -f "$units/$(unit "$role")"
    rm -rf "$units/$(unit "$role").d"
    systemctl daemon-reload
    systemctl reset-failed "$(unit "$role")" 2>/dev/null || true
  fi
  if ! installed agent && ! installed edge && ! installed control-plane; then rm -rf "$lib"; fi
  say "$role is removed"
}

# What ran as this user was told to end, and may need a moment.
remove_user() {
  id -u "$1" >/dev/null 2>&1 || return 0
  for _ in 1 2 3 4 5; do
    if userdel "$1" 2>/dev/null; then return 0; fi
    sleep 1
  done
  say "the user $1 is still in use; it stays"
}

purge() {
  rm -rf "/var/lib/siding/$role" "/run/siding/$role" "$(config)" "$etc/$role.token"
  case $role in
    agent) rm -rf /opt/siding ;;
    control-plane) rm -rf "$etc/tokens" ;;
  esac
  if [ ! -f "$etc/agent.yaml" ] && [ ! -f "$etc/edge.yaml" ]; then rm -rf "$etc/nginx" /run/siding/edge; fi
  rmdir "$etc" /var/lib/siding /run/siding 2>/dev/null || true
  user=$(owner)
  if [ "$role" = agent ]; then user=siding-service; fi
  remove_user "$user"
  say "nothing of $role is left"
}

read_arguments "$@"
check_machine
case $verb in
  install) set_up ;;
  upgrade) upgrade ;;
  remove) remove ;;
  purge) remove; purge ;;
esac
