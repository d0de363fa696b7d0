#!/usr/bin/env bash
# Weir on one machine in one command: builds it, starts a control plane, two nodes and two demo origins on loopback,
# applies a configuration and sends a request through the fleet.
#
#   ./deploy/quickstart.sh          build and start; run again it only starts what is not running
#   ./deploy/quickstart.sh --down   stop exactly what it started (the data stays in .weir/)
#   ./deploy/quickstart.sh --help
set -euo pipefail
cd "$(dirname "$0")/.."

state=$PWD/.weir
bin=$PWD/.build/release
web_port=${WEIR_WEB_PORT:-8080}
admin=127.0.0.1:${WEIR_ADMIN_PORT:-7443}
fleet=127.0.0.1:${WEIR_FLEET_PORT:-7444}

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
plain_say() { printf '\n%s\n' "$*"; }
{ [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; } || say() { plain_say "$@"; }

die() {
    echo "quickstart: $*" >&2
    exit 1
}

# When a process started, in clock ticks since boot: with the pid it names one process for good.
started_at() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# Whether NAME is running, as we started it.
running() {
    local pid at
    [ -f "$state/run/$1.pid" ] || return 1
    read -r pid at <"$state/run/$1.pid"
    [ -n "$at" ] && [ "$(started_at "$pid")" = "$at" ]
}

# Starts NAME with its output in .weir/log/NAME.log: start NAME COMMAND...
start() {
    local name=$1
    shift
    : >"$state/log/$name.log"
    nohup "$@" >>"$state/log/$name.log" 2>&1 </dev/null &
    echo "$! $(started_at $!)" >"$state/run/$name.pid"
}

# Waits until the log of NAME holds PATTERN; shows the log if the process ends before: await NAME PATTERN
await() {
    local name=$1 pattern=$2 deadline=$((SECONDS + 30))
    until grep -qE "$pattern" "$state/log/$name.log" 2>/dev/null; do
        if ! running "$name"; then
            cat "$state/log/$name.log" >&2
            die "$name ended; its log is above"
        fi
        [ $SECONDS -lt $deadline ] || die "$name did not become ready in 30 s; see $state/log/$name.log"
        sleep 0.1
    done
}

stop() {
    local name pid at
    for name in node-1 node-2 control origin-1 origin-2; do
        if running "$name"; then
            read -r pid at <"$state/run/$name.pid"
            kill -TERM "$pid"
            local deadline=$((SECONDS + 40))
            while running "$name" && [ $SECONDS -lt $deadline ]; do sleep 0.1; done
            running "$name" && kill -KILL "$pid"
            echo "stopped $name (pid $pid)"
        fi
        rm -f "$state/run/$name.pid"
    done
}

usage() { sed -n '2,7s/^# \{0,1\}//p' "$0"; }

case ${1:-} in
    "") ;;
    --down)
        stop
        exit 0
        ;;
    -h | --help)
        usage
        exit 0
        ;;
    *)
        usage >&2
        exit 2
        ;;
esac

./deploy/setup.sh python3 curl

say "Building (the first time takes some minutes) ..."
swift build -c release --static-swift-stdlib

umask 077
mkdir -p "$state/run" "$state/log"
ctl() { "$bin/proxyctl" --config "$state/control/proxyctl.yaml" "$@"; }

say "Starting two demo origins, a control plane and two nodes ..."
for i in 1 2; do
    running "origin-$i" || start "origin-$i" python3 deploy/demo/origin.py "origin-$i" "$((9000 + i))"
done

if ! running control; then
    start control "$bin/proxy-control" serve --data "$state/control" --admin "$admin" --fleet "$fleet"
fi
await control '^ready '

for i in 1 2; do
    running "node-$i" && continue
    # A node needs a token once: afterwards it has an identity of its own.
    [ -f "$state/node-$i/node.pem" ] || ctl token create --ttl 10m >"$state/run/node-$i.token"
    start "node-$i" "$bin/proxy-node" run --data "$state/node-$i" --control "$fleet" --name "node-$i" \
        --token-file "$state/run/node-$i.token" --admin "127.0.0.1:$((9900 + i))" --workers 1
done
for i in 1 2; do await "node-$i" '^ready '; done

sed "s/:8080/:$web_port/" deploy/examples/quickstart.yaml >"$state/fleet.yaml"
ctl apply "$state/fleet.yaml" -m "quickstart" --wait

say "\$ curl http://127.0.0.1:$web_port/hello"
curl -sS --fail --max-time 10 -i "http://127.0.0.1:$web_port/hello"

say "\$ proxyctl status"
ctl status

cat <<TEXT

Weir is running. What to try next:

  export PATH=$bin:\$PATH PROXYCTL_CONFIG=$state/control/proxyctl.yaml
  proxyctl nodes                              # which version every node really serves
  \$EDITOR $state/fleet.yaml                  # change a route, then:
  proxyctl diff $state/fleet.yaml             # what would change
  proxyctl apply $state/fleet.yaml -m "my first change" --wait
  proxyctl versions                           # the history
  proxyctl rollback --wait                    # and back
  proxyctl explain GET http://127.0.0.1:$web_port/hello

  ./deploy/quickstart.sh --down               # stop all of it
TEXT
