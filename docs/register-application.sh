#!/usr/bin/env bash
# Registers OpenArchiver in a Microsoft Entra tenant with the Azure CLI, and prints the values that
# the profile needs. Run it again at will: what is there already is kept.
#
#   az login --tenant contoso.onmicrosoft.com --allow-no-subscriptions
#   docs/register-application.sh [--name NAME] [--secret FILE | --certificate FILE] [--years N]
#
#   --name NAME         display name of the application; default: OpenArchiver
#   --secret FILE       makes a client secret and writes its value to FILE, unless FILE is there
#   --certificate FILE  makes an RSA key with a self-signed certificate in FILE (PEM), unless FILE is
#                       there, and uploads the public part
#   --years N           how long the secret or certificate is good for; default: 1
#
# Without --secret and --certificate: --secret ./m365-secret.
set -euo pipefail

fail() { printf 'register-application: %s\n' "$*" >&2; exit 1; }
note() { printf '%s\n' "$*" >&2; }

name=OpenArchiver
kind=secret
file=./m365-secret
years=1
while [ $# -gt 0 ]; do
    case $1 in
        --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
        --name | --secret | --certificate | --years)
            [ $# -ge 2 ] && [ -n "$2" ] || fail "$1 needs a value"
            case $1 in
                --name) name=$2 ;;
                --years) years=$2 ;;
                *) kind=${1#--} file=$2 ;;
            esac
            shift 2 ;;
        *) fail "unknown option $1; --help shows the known ones" ;;
    esac
done
[[ $years =~ ^[1-9][0-9]?$ ]] || fail "--years must be a number from 1 to 99"

# Microsoft Graph, and the ids of its application permissions.
graph=00000003-0000-0000-c000-000000000000
permissions=(
    "Mail.Read=810c84a8-4a9e-49e6-bf7d-12d183f40d01"
    "User.Read.All=df021288-bdef-4463-88db-98f22de89214"
)

command -v az >/dev/null ||
    fail "the Azure CLI (az) is missing: https://learn.microsoft.com/cli/azure/install-azure-cli"
tenant=$(az account show --query tenantId --output tsv 2>/dev/null) && [ -n "$tenant" ] ||
    fail "not signed in: az login --tenant YOUR-TENANT --allow-no-subscriptions"

# 1. The application, for this tenant alone, and its service principal.
found=$(az ad app list --filter "displayName eq '${name//\'/\'\'}'" --query '[].appId' --output tsv) ||
    fail "the applications of tenant $tenant can't be listed"
if [ "$(wc -w <<<"$found")" -gt 1 ]; then
    fail "several applications are called '$name': give this one a name of its own with --name"
fi
if [ -z "$found" ]; then
    found=$(az ad app create --display-name "$name" --sign-in-audience AzureADMyOrg \
        --query appId --output tsv) ||
        fail "the application could not be created: it takes the role Application Administrator, Cloud Application Administrator or Application Developer"
    note "created the application '$name' ($found)"
else
    note "the application '$name' is there already ($found)"
fi
client=$found
az ad sp show --id "$client" --output none 2>/dev/null ||
    az ad sp create --id "$client" --output none ||
    fail "the service principal (enterprise application) of $client could not be created"

# 2. What it may do.
asked=$(az ad app show --id "$client" --query "requiredResourceAccess[?resourceAppId=='$graph'].resourceAccess[].id" --output tsv) ||
    fail "the application $client can't be read"
for permission in "${permissions[@]}"; do
    id=${permission#*=}
    grep -qi -- "$id" <<<"$asked" && continue
    az ad app permission add --id "$client" --api "$graph" --api-permissions "$id=Role" \
        --output none 2>/dev/null || fail "the permission ${permission%%=*} ($id) could not be added"
    note "added the application permission ${permission%%=*} ($id)"
done

# 3. What it signs in with.
umask 077
if [ "$kind" = certificate ]; then
    if [ ! -e "$file" ]; then
        command -v openssl >/dev/null || fail "openssl is missing"
        work=$(mktemp -d)
        trap 'rm -rf "$work"' EXIT
        openssl req -x509 -newkey rsa:3072 -nodes -sha256 -days $((years * 365)) -subj "/CN=$name" \
            -keyout "$work/key" -out "$work/certificate" 2>/dev/null || fail "openssl could not make a certificate"
        cat "$work/key" "$work/certificate" >"$file"
        note "wrote the key and the certificate to $file"
    fi
    public=$(mktemp)
    trap 'rm -rf "$public" "${work:-}"' EXIT
    openssl x509 -in "$file" -out "$public" 2>/dev/null || fail "$file has no certificate in PEM form"
    thumbprint=$(openssl x509 -in "$public" -noout -fingerprint -sha1 | sed 's/.*=//; s/://g')
    registered=$(az ad app credential list --id "$client" --cert --query '[].customKeyIdentifier' --output tsv) ||
        fail "the certificates of $client can't be listed"
    if ! grep -qi -- "$thumbprint" <<<"$registered"; then
        az ad app credential reset --id "$client" --cert "@$public" --append --output none 2>/dev/null ||
            fail "the certificate could not be uploaded"
        note "uploaded the certificate $thumbprint"
    fi
    credential="\"certificate\": { \"file\": \"$file\" }"
else
    if [ -e "$file" ]; then
        note "$file is there already: no new secret was made"
        credential="\"client_secret\": { \"file\": \"$file\" }"
    else
        : >"$file" || fail "$file can't be written"
        # The value never reaches the screen or another process's arguments.
        if ! az ad app credential reset --id "$client" --append --years "$years" \
            --display-name "OpenArchiver $(date -u +%F)" --query password --output tsv >"$file" 2>/dev/null ||
            [ ! -s "$file" ]; then
            rm -f "$file"
            fail "no secret could be made: a policy of the tenant may forbid secrets; try --certificate"
        fi
        note "wrote the secret's value to $file"
        credential="\"client_secret\": { \"file\": \"$file\" }, \"client_secret_expires\": \"$(date -u -d "+$years years -1 day" +%F)\""
    fi
fi

# 4. Admin consent: the one step that takes more than an Application Administrator.
consented=true
if ! az ad app permission admin-consent --id "$client" --output none 2>/dev/null; then
    consented=false
    note ""
    note "admin consent was NOT granted: it takes the role Privileged Role Administrator or Global Administrator."
    note "Have one of them run:   az ad app permission admin-consent --id $client"
    note "or open App registrations > $name > API permissions > Grant admin consent."
fi

cat <<VALUES
"tenant_id": "$tenant",
"client_id": "$client",
$credential
VALUES
$consented || exit 3
note "Done. Consent may take some minutes to count: openarchiver source check ID"
