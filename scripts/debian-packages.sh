#!/bin/sh
# Install the Debian packages whose programs the tests drive: as root, or by a sudo that asks nothing. Without either,
# the tests that need a missing program are skipped, and pytest's summary counts them.
set -eu
packages="litmus davfs2 cadaver nginx-light apache2 curl fuse3 ed chromium ffmpeg restic"

command -v dpkg-query >/dev/null || { echo "not a Debian system: tests that need $packages may be skipped" >&2; exit 0; }
missing=
for package in $packages; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    sudo=
elif sudo -n true 2>/dev/null; then
    sudo="sudo -n"
else
    echo "NOT INSTALLED, neither root nor sudo:$missing. The tests that need them are skipped." >&2
    exit 0
fi
echo "installing$missing ..."
# nobody wants servers to start because the tests use their programs
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null
    $sudo chmod 755 $policy
    trap '$sudo rm -f $policy' EXIT
fi
$sudo apt-get update -qq
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
