#!/usr/bin/env bash
# An IMAP server for tests: Dovecot on free ports of the loopback interface, without root's accounts,
# PAM or anything of the system's configuration.
#
#   dovecot.sh start FOLDER    starts it; FOLDER is made anew, FOLDER/dovecot.json says how to reach it
#   dovecot.sh stop FOLDER     ends it and removes FOLDER
#
# Every user has the password "pw"; "master" (password "master-pw") may sign in for others. Tokens:
# any user whose token is "good-token". Needs the Debian packages dovecot-imapd, openssl and python3.
set -euo pipefail

readonly command=${1:?start or stop}
readonly folder=$(realpath -m "${2:?the folder of the server}")

fail() {
    echo "dovecot.sh: $*" >&2
    exit 1
}

stop() {
    local id
    if id=$(cat "$folder/run/master.pid" 2>/dev/null) &&
        grep -qz -- "$folder/dovecot.conf" "/proc/$id/cmdline" 2>/dev/null; then
        kill "$id"
        for _ in $(seq 100); do
            [ -e "/proc/$id" ] || break
            sleep 0.05
        done
    fi
    rm -rf "$folder"
}

make_certificates() { # an authority of its own; a certificate for localhost, and one that is over
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=Test authority" \
        -keyout ca.key -out ca.pem
    openssl req -newkey rsa:2048 -nodes -subj "/CN=localhost" -keyout server.key -out server.csr
    openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
        -extfile <(echo "subjectAltName=DNS:localhost,IP:127.0.0.1") -out server.crt
    openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days -1 \
        -extfile <(echo "subjectAltName=DNS:localhost,IP:127.0.0.1") -out expired.crt
}

start() {
    command -v dovecot >/dev/null || fail "dovecot is missing: run scripts/install-packages"
    [ ! -e "$folder" ] || stop
    mkdir -p "$folder"/{run,tls,mail}
    # Dovecot's own users have to get at its sockets, wherever the folder is.
    chmod 755 "$folder" "$folder/run"
    (cd "$folder/tls" && make_certificates >/dev/null 2>&1) || fail "can't make a certificate"
    local imap_port imaps_port user group
    read -r imap_port imaps_port < <(python3 -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*[s.getsockname()[1] for s in sockets])')
    user=$(id -un) group=$(id -gn)
    if [ "$(id -u)" = 0 ]; then
        user=mail group=mail # mailboxes are never opened as root
    fi
    chown "$user:$group" "$folder/mail"
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid "$user" --regid "$group" --clear-groups test -w "$folder/mail" ||
            fail "the user $user can't get at $folder: let others search the folders above it"
    fi
    echo "master:{PLAIN}master-pw" >"$folder/masters"
    cat >"$folder/dovecot.conf" <<CONF
protocols = imap
listen = 127.0.0.1
base_dir = $folder/run
state_dir = $folder/run
log_path = $folder/dovecot.log
mail_location = ${DOVECOT_MAIL_LOCATION:-mdbox:$folder/mail/%u}
mail_uid = $user
mail_gid = $group
first_valid_uid = 1
first_valid_gid = 1
mail_max_userip_connections = 50
mail_fsync = never
ssl = yes
ssl_cert = <$folder/tls/server.crt
ssl_key = <$folder/tls/server.key
ssl_dh =
disable_plaintext_auth = no
auth_mechanisms = plain login xoauth2
auth_master_user_separator = *
auth_failure_delay = 0
passdb {
  driver = passwd-file
  args = $folder/masters
  master = yes
}
passdb {
  driver = static
  mechanisms = xoauth2
  args = password=good-token
}
passdb {
  driver = static
  args = password=pw
}
userdb {
  driver = static
  args = uid=$user gid=$group home=$folder/mail/%u
}
namespace inbox {
  inbox = yes
  separator = /
  mailbox Drafts {
    special_use = \Drafts
    auto = create
  }
  mailbox Sent {
    special_use = \Sent
    auto = create
  }
}
service imap-login {
  service_count = 0
  inet_listener imap {
    port = $imap_port
  }
  inet_listener imaps {
    port = $imaps_port
    ssl = yes
  }
}
service imap {
  process_limit = 200
}
service auth-worker {
  user = $(id -un)
}
CONF
    if [ "$(id -u)" != 0 ]; then # it can become nobody else then
        cat >>"$folder/dovecot.conf" <<CONF
default_internal_user = $user
default_login_user = $user
default_internal_group = $group
service imap-login {
  chroot =
}
service anvil {
  chroot =
}
CONF
    fi
    # Its processes live on: they must not keep what CTest reads from.
    dovecot -c "$folder/dovecot.conf" </dev/null >/dev/null 2>&1 || fail "it does not start; see $folder/dovecot.log"
    for _ in $(seq 200); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$imap_port") 2>/dev/null; then break; fi
        sleep 0.05
    done
    cat >"$folder/dovecot.json" <<JSON
{
  "host": "localhost",
  "port": $imap_port,
  "tls_port": $imaps_port,
  "ca_file": "$folder/tls/ca.pem",
  "certificate": "$folder/tls/server.crt",
  "expired_certificate": "$folder/tls/expired.crt",
  "key": "$folder/tls/server.key",
  "config": "$folder/dovecot.conf",
  "password": "pw"
}
JSON
}

case $command in
start) start ;;
stop) stop ;;
*) fail "start or stop, not $command" ;;
esac
