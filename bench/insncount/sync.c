// SPDX-License-Identifier: GPL-2.0
/* The guest waits for QEMU: a device's work is done when all of QEMU's threads sleep. */
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sync.h"

/* A device's work takes milliseconds; the rest is for a host that is busy with others. */
#define LONGEST_WAIT_S	60

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

/* What /proc says of a thread; empty for one that is gone, which does nothing any more. */
static void read_about(const char *thread, const char *file, char *text, size_t size)
{
	char path[80];
	ssize_t length = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%.20s/%s", thread, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		length = read(fd, text, size - 1);
		close(fd);
	}
	text[length < 0 ? 0 : length] = 0;
}

static unsigned long long number_after(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/*
 * A thread that is about to sleep is in state S already, and may stay so for as
 * long as its CPU is taken away from it, with work that came meanwhile. Where it
 * sleeps is told only of one that has left the CPU; a kernel without names for
 * its functions tells it of none.
 */
static bool is_about_to_sleep(const char *thread)
{
	static int tells = -1;
	char text[256];

	if (tells < 0)
		tells = !access("/proc/kallsyms", F_OK);
	if (!tells)
		return false;
	read_about(thread, "wchan", text, sizeof(text));
	return !strcmp(text, "0");
}

static void look_at(struct look *look, const char *thread)
{
	const char *state;
	char text[4096];

	read_about(thread, "status", text, sizeof(text));
	if (!text[0])
		return;
	state = strstr(text, "\nState:\t");
	if (!state || state[8] != 'S' || is_about_to_sleep(thread))
		look->asleep = false;
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

static void give_up(void)
{
	fprintf(stderr,
		"insncount: QEMU's threads did not all sleep within %d s\n",
		LONGEST_WAIT_S);
	exit(1);
}

void wait_for_other_threads(void)
{
	struct look before = { }, now = look_at_others();
	time_t start = time(NULL);

	while (!now.asleep || !before.asleep || now.switches != before.switches ||
	       now.threads != before.threads) {
		if (!now.asleep)
			sched_yield();
		if (time(NULL) - start > LONGEST_WAIT_S)
			give_up();
		before = now;
		now = look_at_others();
	}
}
