#!/bin/sh
# Checks the simulator with other people's clients. Usage: run.sh PATH-TO-BINARY
# Exits with 77 when Node.js, npm or the registry is not available.
set -eu

binary=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)

skip() {
    echo "skipped: $1"
    exit 77
}
command -v node > /dev/null || skip "Node.js is not installed"
command -v npm > /dev/null || skip "npm is not installed"
command -v openssl > /dev/null || skip "openssl is not installed"
node -e 'process.exit(process.versions.node.split(".")[0] >= 20 ? 0 : 1)' ||
    skip "Node.js 20 or later is needed"

work=$(mktemp -d)
simulator=
cleanup() {
    [ -z "$simulator" ] || kill "$simulator" 2> /dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

cp "$here/package.json" "$here/package-lock.json" "$here/check.mjs" "$work/"
(cd "$work" && npm ci --no-audit --no-fund --loglevel=error) > "$work/npm.log" 2>&1 || {
    cat "$work/npm.log"
    skip "the npm packages could not be installed"
}
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/client.key" -out "$work/client.pem" \
    -days 2 -subj /CN=client 2> /dev/null

"$binary" --https 0 --write-ca "$work/ca.pem" --client-cert "$work/client.pem" --users 5 \
    --messages 40 > "$work/ready" &
simulator=$!
tries=0
while [ ! -s "$work/ready" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 600 ] || { echo "the simulator did not start"; exit 1; }
    sleep 0.1
done
origin=$(sed 's/.*"https":"\([^"]*\)".*/\1/' "$work/ready")
cd "$work"
NODE_EXTRA_CA_CERTS="$work/ca.pem" node check.mjs "$origin" "$work/client.pem" "$work/client.key"
