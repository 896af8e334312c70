#!/bin/sh
# Install Debian's Chromium for the browser tests where that is allowed; otherwise say in one line that they are skipped.
# On a fresh machine it takes about half a minute.
have() { command -v chromium >/dev/null && command -v chromedriver >/dev/null; }
have && exit 0
why="only root can install them, and with apt-get"
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    log=$(mktemp)
    { timeout 60 apt-get -qq update && timeout 300 apt-get -qq install -y --no-install-recommends chromium chromium-driver; } \
        >"$log" 2>&1
    why=$(grep '^E:' "$log" | head -n 1)
    why="apt-get: ${why:-no such programs in its packages}"
    rm -f "$log"
    # Where the packages of these names are something else, nothing of use was installed.
    have && exit 0
fi
echo "browser tests are skipped: chromium and chromedriver are not installed ($why)"
