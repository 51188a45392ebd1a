#!/bin/sh
# Make the virtual environment with everything in it: make-venv.sh PYTHON FOLDER. Needs python3 >= 3.11 and the network.
set -eu
python=$1 venv=$2

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
    echo "davbridge needs Python 3.11 or newer; name one: make PYTHON=python3.12 demo" >&2
    exit 1
}
if [ ! -x "$venv/bin/python" ]; then
    echo "making $venv ..."
    # Debian splits the venv module's pip off into python3-venv; without it pip is fetched as one file
    if ! "$python" -m venv "$venv" 2>/dev/null; then
        rm -rf "$venv"
        "$python" -m venv --without-pip "$venv"
        "$venv/bin/python" - <<'END'
import subprocess, sys, tempfile, urllib.request
with tempfile.NamedTemporaryFile(suffix=".pyz") as file:
    file.write(urllib.request.urlopen("https://bootstrap.pypa.io/pip/pip.pyz", timeout=60).read())
    file.flush()
    subprocess.check_call([sys.executable, file.name, "install", "-q", "pip"])
END
    fi
fi
echo "installing davbridge and what it needs (up to a minute) ..."
"$venv/bin/python" -m pip install -q --disable-pip-version-check -e '.[dev]'
