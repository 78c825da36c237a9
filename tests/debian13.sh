#!/bin/sh
# Run p2pbench on Debian 13, in a root that debootstrap makes and that is removed afterwards, however
# this ends. The mirrors are those of this machine's apt. Needs root, debootstrap and 15 GiB.
#
#   tests/debian13.sh [STEP...]
#
# Steps, by default all of them in this order:
#   deps     `make deps`, and again after what it says about the base kernel's source
#   check    `make plan`, `make check`
#   smoke    `make bench MATRIX=smoke`
#   counts   `make bench MATRIX=tests/data/counts.toml`
#   test     `make test`, but for the directories below
#
# P2PBENCH_CACHE and CCACHE_DIR, where they are set, are used in the root, and stay: so this can be
# run in pieces.
set -eu

# Kernels of their own, three of them, for tests that do not depend on the distribution.
LEFT_OUT="planted debug kunit"
SUITE=trixie
HERE=$(cd "${0%/*}/.." && pwd)

fail() {
	echo "error: $*" >&2
	exit 1
}

# The mirror of one of Debian's archives, by its label, in this machine's apt configuration.
mirror() {
	# shellcheck disable=SC2016 # apt-get fills these in
	apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' |
		sed -n "s/^Debian|$1|//p" | head -n 1
}

make_root() {
	main=$(mirror Debian)
	security=$(mirror Debian-Security)
	[ -n "$main" ] || fail "apt's configuration has no mirror of Debian; is an apt-get update due?"
	debootstrap --variant=minbase --include=make,git,ca-certificates "$SUITE" "$root" "$main" \
		>"$root.log" || fail "debootstrap: $(tail -n 1 "$root.log")"
	{
		echo "deb $main $SUITE main"
		echo "deb $main $SUITE-updates main"
		[ -z "$security" ] || echo "deb $security $SUITE-security main"
	} >"$root/etc/apt/sources.list"
	apt-config dump | grep '^Acquire::https\?::Proxy' >"$root/etc/apt/apt.conf.d/proxy" || :
	mkdir "$root/p2pbench"
	git -C "$HERE" ls-files -z -c -o --exclude-standard |
		tar -C "$HERE" --null --ignore-failed-read -cf - -T - | tar -C "$root/p2pbench" -xf -
	git -C "$root/p2pbench" init -q
	git -C "$root/p2pbench" add -A
	git -C "$root/p2pbench" -c user.name=p2pbench -c user.email=p2pbench@localhost \
		commit -q -m "as it was tried on Debian 13"
}

# Mounts are of this process's own name space, and go with it.
mount_all() {
	mount -t proc proc "$root/proc"
	mount --rbind /sys "$root/sys"
	mount --rbind /dev "$root/dev"
	cp /etc/resolv.conf "$root/etc/resolv.conf"
	mkdir -p "$root/root/.cache/p2pbench" "$root/root/.cache/ccache"
	for pair in "${P2PBENCH_CACHE:-}:p2pbench" "${CCACHE_DIR:-}:ccache"; do
		[ -z "${pair%%:*}" ] || mount --bind "${pair%%:*}" "$root/root/.cache/${pair#*:}"
	done
}

inside() {
	echo "debian 13: $*"
	chroot "$root" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM="${TERM:-dumb}" \
		http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}" \
		sh -c "cd /p2pbench && $*"
}

# What the message says to do as root, word for word.
get_source() {
	sed -n '/as root:$/,/^  make deps$/p' "$1" | sed '1d; /^  make deps$/d'
}

step() {
	case $1 in
	deps)
		if ! inside make deps >"$root/tmp/deps" 2>&1; then
			cat "$root/tmp/deps"
			get_source "$root/tmp/deps" >"$root/tmp/source"
			[ -s "$root/tmp/source" ] || fail "make deps failed, and did not say what to do"
			inside sh -e /tmp/source
			inside make deps
		fi ;;
	check)
		inside make plan
		inside make check ;;
	smoke) inside make bench MATRIX=smoke ;;
	counts) inside make bench MATRIX=tests/data/counts.toml ;;
	test)
		tests=$(cd "$root/p2pbench" && find tests -name 'test_*.py' | sort)
		for name in $LEFT_OUT; do
			tests=$(echo "$tests" | grep -v "^tests/$name/")
		done
		echo "left out: $LEFT_OUT"
		inside make test TESTS="'$(echo "$tests" | tr '\n' ' ')'" ;;
	*) fail "no step $1 (there are: deps check smoke counts test)" ;;
	esac
}

# The first process of a name space of processes and mounts: all of them end with it.
if [ "${1:-}" = --inside ]; then
	root=$2
	shift 2
	make_root
	mount_all
	for name in "$@"; do
		step "$name"
	done
	exit 0
fi

[ "$(id -u)" -eq 0 ] || fail "this needs root, for chroot and mounts of its own"
command -v debootstrap >/dev/null || fail "debootstrap not found; apt-get install debootstrap"
[ $# -gt 0 ] || set -- deps check smoke counts test
case " $* " in
" deps "*) ;;
*) set -- deps "$@" ;;
esac
for name in P2PBENCH_CACHE CCACHE_DIR; do
	eval "directory=\${$name:-}"
	[ -n "$directory" ] || continue
	mkdir -p "$directory"
	export "$name=$(cd "$directory" && pwd)"
done

scratch=$(mktemp -d -p "${TMPDIR:-/var/tmp}" p2pbench-debian13.XXXXXX)
child=
# shellcheck disable=SC2317 # a trap calls it
clean_up() {
	[ -z "$child" ] || kill -KILL "$child" 2>/dev/null || :
	wait
	rm -rf --one-file-system "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

mkdir "$scratch/root"
# In the background, so that a signal ends all of it at once, and not after the step.
unshare --mount --pid --fork --kill-child "$0" --inside "$scratch/root" "$@" &
child=$!
status=0
wait "$child" || status=$?
child=
exit "$status"
