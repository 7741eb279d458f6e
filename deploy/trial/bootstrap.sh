#!/bin/sh
# Brings what a trial needs: Debian packages that are missing, and the virtual environment.
# Usage: bootstrap.sh run|test
#
# Packages are installed only (--no-remove, simulated first): no service is started, enabled,
# replaced or reconfigured, and another mail server on the machine stays as it is.
set -eu
cd "$(dirname "$0")/../.."
purpose=${1:-run}

packages="python3 python3-venv openssl postfix postfix-sqlite dovecot-core dovecot-imapd dovecot-pop3d
dovecot-lmtpd dovecot-sieve dovecot-managesieved dovecot-sqlite rspamd postsrsd redis-server gettext
knot knot-dnsutils"
if [ "$purpose" = test ]; then
  packages="$packages postgresql chromium swaks isync fetchmail msmtp curl knot-dnssecutils
bind9-utils opendkim-tools pdns-server pdns-backend-sqlite3 iproute2"
fi

installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=""
for package in $packages; do
  installed "$package" || missing="$missing $package"
done

if [ -n "$missing" ]; then
  if [ "$(id -u)" = 0 ]; then
    as_root=""
  elif command -v sudo >/dev/null 2>&1 && [ -t 0 ]; then
    printf 'These Debian packages are missing:%s\nInstall them with sudo? [y/N] ' "$missing"
    read -r answer
    case $answer in
      y | Y | yes) as_root=sudo ;;
      *) answer=no ;;
    esac
  fi
  if [ -z "${as_root+set}" ]; then
    echo "Install the missing packages, then start again:"
    echo "  sudo sh deploy/trial/packages.sh$missing"
    exit 1
  fi
  # shellcheck disable=SC2086
  $as_root sh deploy/trial/packages.sh $missing
fi

python=""
for candidate in /usr/bin/python3 python3.12 python3.11 python3; do
  if command -v "$candidate" >/dev/null 2>&1 &&
    "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    python=$candidate
    break
  fi
done
[ -n "$python" ] || { echo "error: Python 3.11 or later is needed." >&2; exit 1; }

lock=requirements/base.txt
[ "$purpose" = test ] && lock=requirements/dev.txt
want=$(cat "$lock" pyproject.toml | sha256sum | cut -d' ' -f1)
stamp=.venv/postkontor-lock
have=$(cat "$stamp" 2>/dev/null || true)
# The environment for tests holds all that a run needs, too.
if [ "$purpose" = run ] && [ -n "$have" ]; then
  also=$(cat requirements/dev.txt pyproject.toml | sha256sum | cut -d' ' -f1)
  [ "$have" = "$also" ] && want=$also
fi
if [ "$have" != "$want" ]; then
  echo "Installing the Python packages of $lock …"
  [ -x .venv/bin/python ] || "$python" -m venv .venv
  .venv/bin/pip install --quiet --disable-pip-version-check --use-pep517 --require-hashes -r "$lock"
  .venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
  echo "$want" >"$stamp"
fi
