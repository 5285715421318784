#!/bin/bash
# on-moving.sh BLOCK - runs a block of the guide's page on moving mail: with a domain, an old server and a place for old
# mail of the story's. No command is left out.
#
# Environment: MAILBOXCTL, MAILBOXD_CONF; DOMAIN; OLD, the folder in place of /var/vmail/example.org; SERVER, the old
# server; CA, its certificate; LOGIN and PASSWORD, of alice there; LOGINS, in place of /root/logins.
set -euo pipefail

commands=$(sed -e "s|/var/vmail/example.org|@OLD@|g; s|/var/vmail/%d|@OLD@|g; s|imaps://old.example.org|@SERVER@|g" \
    -e "s|example.org\\\\tPASSWORD|@DOMAIN@\\\\t@LOGIN@\\\\t$PASSWORD|g; s|example.org|@DOMAIN@|g; s|/root/logins|$LOGINS|g" \
    -e "s|@OLD@|$OLD|g; s|@SERVER@|$SERVER --ca-file $CA|g; s|@DOMAIN@|$DOMAIN|g; s|@LOGIN@|$LOGIN|g" "$1")

mailboxctl() { "$MAILBOXCTL" --config "$MAILBOXD_CONF" "$@"; }

eval "$commands"
