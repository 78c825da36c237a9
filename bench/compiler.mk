# SPDX-License-Identifier: GPL-2.0
# The compiler of what is measured or measures. What a shell or a command line holds (CFLAGS,
# LDFLAGS, CPATH, ...) must not change what it makes: override, and a list of what it gets to see.
override CLEAN := env -i PATH="$$PATH" HOME="$$HOME" TMPDIR="$${TMPDIR:-/tmp}" LC_ALL=C
override CC := $(CLEAN) gcc
override CFLAGS := -O2 -g -Wall -Wextra -Werror -std=gnu11
override CPPFLAGS := -D_GNU_SOURCE
# What is built with other commands is built again.
COMMANDS := $(abspath $(MAKEFILE_LIST))
