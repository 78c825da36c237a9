#!/bin/sh
# The Debian packages that p2pbench uses: list them, or install those that are missing.
set -eu

kernel="linux-source-6.1 make gcc libc6-dev flex bison bc libelf-dev libssl-dev xz-utils lz4 cpio
	git ccache sparse pahole"
guest="qemu-system-x86 qemu-system-common busybox-static fio nvme-cli rdma-core iproute2
	libjansson-dev util-linux pkgconf"
python="python3 python3-pytest python3-pytest-timeout python3-pytest-subtests python3-scipy
	python3-jinja2 python3-jsonschema python3-fastjsonschema python3-rich python3-matplotlib"
checks="mypy python3-typeshed shellcheck chromium chromium-driver python3-selenium"
[ "${2:-}" != series-check ] || checks="$checks gcc-aarch64-linux-gnu"

missing() {
	for package in $kernel $guest $python $checks; do
		state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || :)
		[ "$state" = installed ] || printf '%s ' "$package"
	done
}

fail() {
	echo "error: $*" >&2
	exit 1
}

install_missing() {
	command -v dpkg-query >/dev/null || fail "dpkg-query not found: this needs Debian 12"
	wanted=$(missing)
	[ -n "$wanted" ] || return 0
	root=
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null ||
			fail "missing packages: $wanted- run 'make deps' as root"
		root=sudo
	fi
	echo "installing: $wanted"
	log=$(mktemp)
	trap 'rm -f "$log"' EXIT
	# shellcheck disable=SC2086 # the list of packages is meant to be split
	if ! { $root apt-get -q update && $root env DEBIAN_FRONTEND=noninteractive \
		apt-get -q install -y --no-install-recommends $wanted; } >"$log" 2>&1; then
		grep '^E:' "$log" >&2 || tail -n 3 "$log" >&2
		fail "apt-get could not install: $wanted- is there a network, room on the disk, and leave to do it?"
	fi
}

case ${1:-} in
list) missing | tr ' ' '\n' ;;
install) install_missing ;;
*) fail "usage: $0 list|install [series-check]" ;;
esac
