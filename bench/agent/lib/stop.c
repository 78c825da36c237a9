// SPDX-License-Identifier: GPL-2.0
/* SIGTERM, SIGINT and SIGHUP: seen at every wait, never in the middle of a step. */
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "lib/stop.h"

static int fd = -1;
static bool seen, ignored;

static void stop_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
}

void stop_init(void)
{
	sigset_t set;

	stop_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	signal(SIGPIPE, SIG_IGN);
}

int stop_fd(void)
{
	return ignored ? -1 : fd;
}

bool stop_seen(void)
{
	struct signalfd_siginfo info;

	if (ignored)
		return false;
	if (fd >= 0 && read(fd, &info, sizeof(info)) > 0)
		seen = true;
	return seen;
}

void stop_ignore(void)
{
	ignored = true;
}

void stop_unblock_in_child(void)
{
	sigset_t set;

	stop_signals(&set);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	signal(SIGPIPE, SIG_DFL);
}
