#!/bin/bash
# on-panel.sh DIR BLOCKS - runs the blocks of docs/panel.md on the stack in DIR, in one shell and in the order of their names.
#
# BLOCKS is a folder with a file NAME.sh for each block. What it prints is written to NAME.out. A block that fails ends the
# script, which then names it.
set -euo pipefail

# shellcheck source=/dev/null
. "$1/stack.env"

mailboxctl() { "$MAILBOXCTL" --config "$MAILBOXD_CONF" "$@"; }
curl() { command curl --silent --show-error --noproxy '*' "$@"; }

block=''
trap 'if (($? != 0)); then echo "The block $block failed." >&2; fi' EXIT
for block in "$2"/*.sh; do
    # shellcheck source=/dev/null
    . "$block" >"${block%.sh}.out"
done
