// SPDX-License-Identifier: GPL-2.0
/* The guest waits for QEMU: a device's work is done when all of QEMU's threads sleep. */
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sync.h"

/*
 * Threads hand work to each other, and are looked at one after another: a look
 * at which each of them sleeps may have seen each when it was another's turn.
 * So two looks must see them all asleep, with no switch to any of them between
 * the two: then all of them slept at once, and nothing is left that would wake
 * one of them.
 */
struct look {
	bool asleep;
	unsigned long long switches;	/* of all threads, since each began */
	int threads;
};

static unsigned long long number_after(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* One that is gone does nothing any more, but is missed in the next look. */
static void look_at(struct look *look, const char *thread)
{
	char path[64], text[4096];
	const char *state;
	ssize_t size;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%.20s/status", thread);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	size = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (size <= 0)
		return;
	text[size] = 0;
	state = strstr(text, "\nState:\t");
	look->asleep = look->asleep && state && state[8] == 'S';
	look->switches += number_after(text, "\nvoluntary_ctxt_switches:") +
			  number_after(text, "\nnonvoluntary_ctxt_switches:");
	look->threads++;
}

static struct look look_at_others(void)
{
	DIR *threads = opendir("/proc/self/task");
	struct look look = { .asleep = true };
	const struct dirent *thread;
	pid_t self = gettid();

	if (!threads) {
		perror("insncount: /proc/self/task");
		exit(1);
	}
	while (look.asleep && (thread = readdir(threads)))
		if (thread->d_name[0] != '.' && atoi(thread->d_name) != self)
			look_at(&look, thread->d_name);
	closedir(threads);
	return look;
}

void wait_for_other_threads(void)
{
	struct look before = { }, now = look_at_others();

	while (!now.asleep || !before.asleep || now.switches != before.switches ||
	       now.threads != before.threads) {
		if (!now.asleep)
			sched_yield();
		before = now;
		now = look_at_others();
	}
}
