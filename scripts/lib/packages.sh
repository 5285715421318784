# shellcheck shell=bash
# packages.sh - a previous release of the packages, for those that try an upgrade.

# make_previous: the packages of new/ once more in old/, with a lower version and another comment in the configuration.
make_previous()
{
    local package tree version
    mkdir -p old
    for package in new/*.deb; do
        tree=$(mktemp -d)
        dpkg-deb --raw-extract "$package" "$tree"
        version=$(dpkg-deb --field "$package" Version)
        sed -i "s/$version/0.0.9~old/" "$tree/DEBIAN/control"
        if [[ -f $tree/etc/mailboxd/mailboxd.conf ]]; then
            echo "# Of the previous release." >>"$tree/etc/mailboxd/mailboxd.conf"
        fi
        dpkg-deb --root-owner-group --build "$tree" old >/dev/null
        rm -rf "$tree"
    done
}
