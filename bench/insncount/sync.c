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

/* One thread may wake another that was looked at before: a second look sees that one. */
#define CLEAN_LOOKS	2

/* Whether a thread waits for something; one that is gone does nothing any more. */
static bool sleeps(const char *thread)
{
	char path[64], text[128];
	const char *name_end;
	ssize_t size;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%.20s/stat", thread);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	size = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (size <= 0)
		return true;
	text[size] = 0;
	name_end = strrchr(text, ')');	/* 1234 (a name) S ... */
	return name_end && name_end[1] && name_end[2] == 'S';
}

static bool others_sleep(void)
{
	DIR *threads = opendir("/proc/self/task");
	const struct dirent *thread;
	pid_t self = gettid();
	bool all = true;

	if (!threads) {
		perror("insncount: /proc/self/task");
		exit(1);
	}
	while (all && (thread = readdir(threads)))
		if (thread->d_name[0] != '.' && atoi(thread->d_name) != self)
			all = sleeps(thread->d_name);
	closedir(threads);
	return all;
}

void wait_for_other_threads(void)
{
	for (int clean = 0; clean < CLEAN_LOOKS; clean++)
		if (!others_sleep()) {
			clean = -1;
			sched_yield();
		}
}
