#!/bin/sh
# Installs Debian packages without starting, enabling or replacing any service. Run as root.
# Usage: packages.sh PACKAGE…
set -eu
[ $# -gt 0 ] || exit 0
export DEBIAN_FRONTEND=noninteractive

plan() { apt-get --simulate --no-remove --no-install-recommends install "$@" 2>&1; }

if ! plan "$@" >/dev/null; then
  echo "Reading the package lists …"
  apt-get update -qq
fi
if ! said=$(plan "$@"); then
  echo "error: these packages cannot be installed beside what is there:" >&2
  echo "$said" | sed -n '/^E:/p;/Conflicts/p;/will be REMOVED/,/^[0-9]/p' >&2
  if dpkg-query -W -f '${Package} ${Provides}\n' 2>/dev/null | grep -q mail-transport-agent; then
    echo "Another mail server is installed (Debian allows one at a time); it is left alone." >&2
    echo "Use another machine or a container for the trial." >&2
  fi
  exit 1
fi

# While packages are set up, nothing may start a service; what was there before comes back.
policy=/usr/sbin/policy-rc.d
kept=""
if [ -e "$policy" ] || [ -L "$policy" ]; then
  kept=$(mktemp -u "$policy.XXXXXX")
  mv "$policy" "$kept"
fi
restore() {
  rm -f "$policy"
  if [ -n "$kept" ]; then mv "$kept" "$policy"; fi
}
trap restore EXIT
trap 'exit 1' INT TERM HUP
printf '#!/bin/sh\nexit 101\n' >"$policy"
chmod 755 "$policy"

before=$(mktemp)
dpkg-query -W -f '${Package}\n' | sort >"$before"
for package in "$@"; do
  if [ "$package" = postfix ] && command -v debconf-set-selections >/dev/null 2>&1; then
    echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections
  fi
done
echo "Installing: $*"
apt-get --yes --quiet --no-remove --no-install-recommends \
  -o Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=0 install "$@" >/var/log/postkontor-packages.log 2>&1 || {
  tail -n 20 /var/log/postkontor-packages.log >&2
  echo "error: the installation failed; see /var/log/postkontor-packages.log" >&2
  exit 1
}

# Units that came with the new packages are not enabled; those of others are not touched.
dpkg-query -W -f '${Package}\n' | sort | comm -13 "$before" - | while read -r package; do
  dpkg-query -L "$package" 2>/dev/null | sed -n 's#^.*/systemd/system/\([^/]*\.\(service\|socket\|timer\)\)$#\1#p' |
    while read -r unit; do
      case $unit in *@*) continue ;; esac
      if command -v systemctl >/dev/null 2>&1; then
        systemctl disable --quiet "$unit" >/dev/null 2>&1 || true
      fi
    done
  for script in $(dpkg-query -L "$package" 2>/dev/null | sed -n 's#^/etc/init.d/##p'); do
    if command -v update-rc.d >/dev/null 2>&1; then
      update-rc.d "$script" disable >/dev/null 2>&1 || true
    fi
  done
done
rm -f "$before"
