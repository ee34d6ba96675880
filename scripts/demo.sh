#!/usr/bin/env bash
# The demo: deploys the messaging sample to 2 accounts x 2 regions on LocalStack, then changes it.
#
#   scripts/emulators.py run --only localstack -- bash scripts/demo.sh PATH_OF_STACKGATE
#
# It can only reach the emulator: without one it ends, and no AWS setting of the caller survives the next lines.
set -euo pipefail

binary=$(realpath "$1")
endpoint=${STACKGATE_TEST_LOCALSTACK:?no emulator; run \`make demo\`}
for name in $(compgen -e); do
    case $name in AWS_* | STACKGATE_*) unset "$name" ;; esac
done
# Emulators take the access key for the account and check nothing. The other account is reached by its role.
settings=(
    AWS_ACCESS_KEY_ID=111111111111
    AWS_SECRET_ACCESS_KEY=demo
    AWS_REGION=us-east-1
    AWS_ENDPOINT_URL="$endpoint"
    AWS_CONFIG_FILE=/dev/null
    AWS_SHARED_CREDENTIALS_FILE=/dev/null
    AWS_EC2_METADATA_DISABLED=true
)
export "${settings[@]}"

# A copy, so that the demo can change its files and never changes yours.
samples=$(cd "$(dirname "$0")/.." && pwd)
project=$(dirname "$(dirname "$binary")")/demo
rm -rf "$project"
mkdir -p "$project"
cp -R "$samples/templates" "$samples/parameter-overrides" "$project"
cd "$project"

if [ -t 0 ] && [ -t 2 ]; then
    is_interactive=yes
    approval=()
else
    is_interactive=
    # Nobody is there to ask. The update replaces a queue, which plain `--yes` would not accept.
    approval=(--yes=high)
fi

bold='' plain=''
if [ -t 2 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\033[1m' plain=$'\033[0m'
fi
title() { printf '\n%s%s%s\n' "$bold" "$*" "$plain" >&2; }

stackgate() {
    printf '\n$ stackgate %s\n' "$*" >&2
    "$binary" "$@"
}

deploy() {
    local code=0
    stackgate deploy messaging --accounts 111111111111,222222222222 --regions us-east-1,eu-west-1 "${approval[@]}" || code=$?
    case $code in
        0) ;;
        3 | 4)
            title "Not approved, so nothing was changed. Run \`make demo\` again for another try."
            exit 0
            ;;
        *) exit "$code" ;;
    esac
}

title "1. First roll-out: four stacks that do not exist yet"
deploy

title "2. An update: a longer visibility for all, but one target already overrides it; and one queue gets another name"
sed -i.orig 's/"QueueVisibility": "30"/"QueueVisibility": "45"/' parameter-overrides/messaging.json
sed -i.orig 's/"orders.fifo"/"orders-v2.fifo"/' parameter-overrides/messaging.222222222222.eu-west-1.json
for file in parameter-overrides/*.orig; do
    printf '\n%s\n' "${file%.orig}" >&2
    diff -U0 "$file" "${file%.orig}" | grep '^[-+] ' >&2 || true
    rm "$file"
done
deploy

title "3. What happened"
stackgate list
stackgate status latest

title "To explore further"
cat >&2 <<END
  cd $(printf '%q' "$project")
  alias stackgate=$(printf '%q' "$binary")
  stackgate list                     all executions, newest first
  stackgate status latest            how the last one ended, target by target
  stackgate events latest            everything that happened, in order
  stackgate --help
END
if [ -n "$is_interactive" ]; then
    cat >&2 <<END

LocalStack keeps running until you press Enter here. In another terminal, after the first two lines above:
  export ${settings[*]}
  stackgate plan messaging --accounts 111111111111,222222222222 --regions us-east-1,eu-west-1 -p QueueVisibility=90
  stackgate approve latest
END
    read -r _ || true
else
    cat >&2 <<END

These read the journal alone: LocalStack ends with the demo. In a terminal, the demo keeps it running for more.
END
fi
