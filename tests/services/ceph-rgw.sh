#!/usr/bin/env bash
# An S3 store for tests: a Ceph cluster of one monitor, one OSD in memory and one RADOS Gateway, on
# free ports of the loopback interface, started in a few seconds.
#
#   ceph-rgw.sh start FOLDER    starts it; FOLDER is made anew, FOLDER/rgw.json says how to reach it
#   ceph-rgw.sh stop FOLDER     ends it and removes FOLDER
#
# Needs the Debian packages radosgw, ceph-mon, ceph-osd, ceph-common, openssl and python3.
set -euo pipefail

readonly command=${1:?start or stop}
readonly folder=$(realpath -m "${2:?the folder of the store}")
readonly daemons=(client.rgw osd.0 mon.a)
readonly ceph=(--conf "$folder/ceph.conf")

fail() {
    echo "ceph-rgw.sh: $*" >&2
    exit 1
}

process_of() { # the process id of a daemon of this folder that runs
    local id
    id=$(cat "$folder/run/$1.pid" 2>/dev/null) || return 1
    [ -n "$id" ] && grep -qz -- "$folder/ceph.conf" "/proc/$id/cmdline" 2>/dev/null && echo "$id"
}

stop() {
    local daemon id
    for daemon in "${daemons[@]}"; do
        if id=$(process_of "$daemon"); then
            kill -CONT "$id" && kill "$id" || true
            for _ in $(seq 50); do
                process_of "$daemon" >/dev/null || break
                sleep 0.1
            done
            if id=$(process_of "$daemon"); then
                kill -KILL "$id" || true
            fi
        fi
    done
    rm -rf "$folder"
}

wait_for() { # wait_for WHAT COMMAND...
    local what=$1
    shift
    for _ in $(seq 600); do
        if "$@"; then return; fi
        sleep 0.1
    done
    fail "$what after 60 s; see $folder/log"
}

osd_is_up() { ceph "${ceph[@]}" osd stat -f json 2>/dev/null | grep -q '"num_up_osds":1'; }
gateway_answers() {
    python3 -c "import socket; socket.create_connection(('127.0.0.1', $port), 5)" 2>/dev/null
}

make_certificate() { # an authority of its own, and a certificate for localhost
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=Test authority" \
        -keyout ca.key -out ca.pem
    openssl req -newkey rsa:2048 -nodes -subj "/CN=localhost" -keyout server.key -out server.csr
    openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
        -extfile <(echo "subjectAltName=DNS:localhost,DNS:*.localhost") -out server.crt
    cat server.crt server.key >server.pem
}

start() {
    command -v radosgw >/dev/null || fail "radosgw is missing: run scripts/install-packages"
    [ ! -e "$folder" ] || stop
    mkdir -p "$folder"/{mon,osd,run,log,tls}
    (cd "$folder/tls" && make_certificate >/dev/null 2>&1) || fail "can't make a certificate"
    local mon_port legacy_port tls_port
    read -r port tls_port mon_port legacy_port < <(python3 -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
print(*[s.getsockname()[1] for s in sockets])')
    local cluster osd
    cluster=$(cat /proc/sys/kernel/random/uuid)
    osd=$(cat /proc/sys/kernel/random/uuid)
    cat >"$folder/ceph.conf" <<CONF
[global]
fsid = $cluster
mon_host = [v2:127.0.0.1:$mon_port,v1:127.0.0.1:$legacy_port]
public_network = 127.0.0.0/8
cluster_network = 127.0.0.0/8
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
auth_allow_insecure_global_id_reclaim = false
ms_bind_ipv6 = false
ms_mon_client_mode = crc secure
ms_mon_service_mode = crc secure
log_to_stderr = false
log_file = $folder/log/\$name.log
pid_file = $folder/run/\$name.pid
admin_socket = $folder/run/\$name.asok
run_dir = $folder/run
crash_dir = $folder/log
mon_allow_pool_size_one = true
mon_data_avail_crit = 1
mon_data_avail_warn = 1
mon_osd_min_in_ratio = 0
mon_osd_report_timeout = 86400
mon_max_pg_per_osd = 2000
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
osd_crush_update_on_start = true
paxos_propose_interval = 0.05
paxos_min_wait = 0.02
[mon.a]
mon_data = $folder/mon
mon_initial_members = a
[osd.0]
osd_data = $folder/osd
osd_objectstore = memstore
memstore_device_bytes = 4294967296
osd_class_load_list = *
osd_class_default_list = *
[client.rgw]
rgw_frontends = beast endpoint=127.0.0.1:$port ssl_endpoint=127.0.0.1:$tls_port ssl_certificate=$folder/tls/server.pem ssl_private_key=$folder/tls/server.pem
rgw_thread_pool_size = 32
rgw_num_rados_handles = 1
rgw_dns_name = localhost
rgw_override_bucket_index_max_shards = 1
rgw_dynamic_resharding = false
rgw_run_sync_thread = false
rgw_gc_obj_min_wait = 5
CONF
    monmaptool --create --fsid "$cluster" \
        --addv a "[v2:127.0.0.1:$mon_port,v1:127.0.0.1:$legacy_port]" "$folder/monmap" >/dev/null
    ceph-mon "${ceph[@]}" --mkfs -i a --monmap "$folder/monmap" --keyring /dev/null 2>/dev/null
    ceph-mon "${ceph[@]}" -i a
    ceph "${ceph[@]}" osd new "$osd" >/dev/null
    ceph-osd "${ceph[@]}" -i 0 --mkfs --osd-uuid "$osd" >/dev/null 2>&1
    ceph-osd "${ceph[@]}" -i 0 >/dev/null 2>&1
    wait_for "the OSD is not up" osd_is_up
    radosgw "${ceph[@]}" -n client.rgw
    radosgw-admin "${ceph[@]}" -n client.rgw user create --uid=archive --display-name=archive \
        --access-key=ARCHIVEACCESSKEY0001 --secret=archiveSecretKey0000000000000000001 \
        >/dev/null 2>&1
    wait_for "the gateway does not answer" gateway_answers
    cat >"$folder/rgw.json" <<JSON
{
  "endpoint": "http://127.0.0.1:$port",
  "tls_endpoint": "https://localhost:$tls_port",
  "ca_file": "$folder/tls/ca.pem",
  "access_key_id": "ARCHIVEACCESSKEY0001",
  "secret_access_key": "archiveSecretKey0000000000000000001",
  "admin": ["radosgw-admin", "--conf", "$folder/ceph.conf", "-n", "client.rgw"],
  "gateway_socket": "$folder/run/client.rgw.asok",
  "osd_process": $(process_of osd.0)
}
JSON
}

case $command in
start) start ;;
stop) stop ;;
*) fail "start or stop, not $command" ;;
esac
