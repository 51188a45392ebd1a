#!/bin/sh
# Make .cache/trixie: a Debian 13 folder with davfs2 1.7.1, for the mount tests on a Debian 12 machine, whose davfs2 1.6.1
# cannot list a folder on recent kernels (EINVAL). Needs root and debootstrap; takes the mirror from the machine's own
# apt settings. Does nothing when the folder is there, or when the machine's davfs2 is new enough.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
target=$root/.cache/trixie

installed=$(dpkg-query -W -f '${Version}' davfs2 2>/dev/null || echo 0)
if dpkg --compare-versions "$installed" ge 1.7; then
    echo "davfs2 $installed of this machine is new enough"
    exit 0
fi
if [ -x "$target/usr/sbin/mount.davfs" ]; then
    echo "$target is there"
    exit 0
fi
command -v debootstrap >/dev/null || { echo "debootstrap is not installed" >&2; exit 1; }
[ "$(id -u)" = 0 ] || { echo "debootstrap needs root" >&2; exit 1; }

mirror=$(sed -n 's/^URIs:[[:space:]]*\([^[:space:]]*\).*/\1/p; s/^deb \(\[[^]]*\] \)\{0,1\}\([^[:space:]]*\).*/\2/p' \
    /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null | grep '/debian/*$' | head -n 1)
[ -n "$mirror" ] || { echo "no Debian mirror found in /etc/apt" >&2; exit 1; }

mkdir -p "$root/.cache"
partial=$(mktemp -d "$root/.cache/trixie.XXXXXX")
trap 'rm -rf "$partial"' EXIT
debootstrap --variant=minbase --include=davfs2,ca-certificates trixie "$partial" "$mirror"
rm -rf "$partial"/var/cache/apt/archives/*.deb
chmod 0755 "$partial"
mv "$partial" "$target"
trap - EXIT
echo "made $target"
