#!/bin/sh
# The Debian packages that p2pbench uses, in groups by what needs them: list those that are missing,
# or install them. On another distribution p2pbench/testbed/preflight.py says what is missing.
set -eu
export LC_ALL=C

base=${0%/*}/../linux/6.1/BASE

fail() {
	echo "error: $*" >&2
	exit 1
}

packages() {
	case $1 in
	python) echo "python3 python3-pytest python3-pytest-timeout python3-pytest-subtests
		python3-scipy python3-jinja2 python3-jsonschema python3-fastjsonschema python3-rich
		python3-matplotlib" ;;
	build) echo "python3 make gcc libc6-dev flex bison bc libelf-dev libssl-dev xz-utils lz4 cpio
		git ccache pahole" ;;
	guest) echo "qemu-system-x86 qemu-system-common busybox-static fio nvme-cli rdma-core
		iproute2 libjansson-dev util-linux pkgconf" ;;
	source) base_value package ;;
	test) echo "sparse python3-pytest-xdist mypy black isort python3-typeshed shellcheck chromium chromium-driver
		python3-selenium" ;;
	series-check) echo "sparse gcc-aarch64-linux-gnu" ;;
	*) fail "no group of packages is called $1" ;;
	esac
}

base_value() {
	sed -n "s/^$1 = \"\(.*\)\"/\1/p" "$base"
}

# The base kernel's source need not come from its package: base_tarball() in p2pbench/linux/tree.py.
have_source() {
	case ${XDG_CACHE_HOME:-} in
	/*) cache=$XDG_CACHE_HOME/p2pbench ;;
	*) cache=${HOME:-}/.cache/p2pbench ;;
	esac
	sha256=$(base_value sha256)
	[ -n "${P2PBENCH_BASE:-}" ] || [ -e "$(base_value tarball)" ] ||
		[ -d "${P2PBENCH_CACHE:-$cache}/base/${sha256%"${sha256#????????????????}"}.git" ]
}

wanted() {
	for group in "$@"; do
		if [ "$group" != source ] || ! have_source; then
			packages "$group"
		fi
	done | tr -s '[:space:]' '\n' | awk '!seen[$0]++'
}

missing() {
	for package in $(wanted "$@"); do
		state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || :)
		[ "$state" = installed ] || printf '%s ' "$package"
	done
}

# apt-get takes a name that it does not know for a regular expression, and installs what matches.
known() {
	listed=$(apt-cache show --no-all-versions "$@" 2>/dev/null | sed -n 's/^Package: //p')
	for package in "$@"; do
		if echo "$listed" | grep -qxF -e "$package"; then
			printf '%s ' "$package"
		# preflight.py says where else it can be had
		elif [ "$package" != "$(base_value package)" ]; then
			fail "apt has no package $package: is this Debian 12 or 13, with all of its sources?"
		fi
	done
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

# Run a command of apt-get; only when it fails its output is of interest.
apt_get() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q "$@" >"$log" 2>&1 && return 0
	grep '^E:' "$log" >&2 || tail -n 3 "$log" >&2
	fail "apt-get could not install: $names- is there a network, room on the disk, and leave to do it?"
}

# shellcheck disable=SC2086 # lists of packages are meant to be split
install_missing() {
	command -v dpkg-query >/dev/null && command -v apt-get >/dev/null || return 0
	names=$(missing "$@")
	[ -n "$names" ] || return 0
	[ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null ||
		fail "missing packages: $names- run 'make deps' as root"
	log=$(mktemp)
	trap 'rm -f "$log"' EXIT
	apt_get update
	names=$(known $names)
	[ -n "$names" ] || return 0
	echo "installing: $names"
	apt_get install -y --no-install-recommends $names
	for package in $(missing "$@"); do
		case " $names" in
		*" $package "*) fail "apt-get installed all but $package, and did not say why" ;;
		esac
	done
}

command=${1:-}
[ $# -eq 0 ] || shift
case $command in
list) missing "$@" | tr ' ' '\n' ;;
install) install_missing "$@" ;;
*) fail "usage: $0 list|install GROUP..." ;;
esac
