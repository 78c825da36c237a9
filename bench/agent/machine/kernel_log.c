// SPDX-License-Identifier: GPL-2.0
/* The log of the kernel. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/channel.h"
#include "lib/files.h"
#include "lib/verb.h"
#include "machine/kernel_log.h"

int kmsg_format(const char *record, char *line, size_t size)
{
	unsigned int prio;
	u64 usec;
	const char *text = strchr(record, ';');

	if (!text || sscanf(record, "%u,%*u,%llu", &prio, &usec) != 2)
		return -EINVAL;
	snprintf(line, size, "[%5llu.%06llu] <%u> %.*s",
		 usec / 1000000, usec % 1000000, prio & 7,
		 (int)strcspn(text + 1, "\n"), text + 1);
	return 0;
}

/* Gives every line of the log to each(). */
static int kmsg_read(const char *path, void (*each)(const char *line, void *arg),
		     void *arg)
{
	char record[8193], line[8300];
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	for (;;) {
		n = read(fd, record, sizeof(record) - 1);
		if (n < 0 && (errno == EPIPE || errno == EINTR))
			continue;	/* overwritten meanwhile: the next one */
		if (n <= 0)
			break;
		record[n] = '\0';
		if (!kmsg_format(record, line, sizeof(line)))
			each(line, arg);
	}
	close(fd);
	return 0;
}

struct search {
	const char *word;
	char *line;
	size_t size;
};

static void keep_if_word(const char *line, void *arg)
{
	struct search *search = arg;

	if (strstr(line, search->word))
		snprintf(search->line, search->size, "%s", line);
}

void kernel_log_last(const char *word, char *line, size_t size)
{
	struct search search = { .word = word, .line = line, .size = size };
	char path[PATH_MAX];

	line[0] = '\0';
	kmsg_read(path_in(path, roots.devfs, "kmsg"), keep_if_word, &search);
}

static void append_line(const char *line, void *arg)
{
	json_array_append_new(arg, json_text(line, strlen(line)));
}

static int kernel_log_run(struct call *call, struct failure *f)
{
	json_t *lines = json_array();
	char path[PATH_MAX];
	int ret;

	path_in(path, roots.devfs, "kmsg");
	expect(f, "kernel-log", "a readable %s", path);
	ret = kmsg_read(path, append_line, lines);
	if (ret) {
		json_decref(lines);
		return got(f, "%s", strerror(-ret));
	}
	call->result = json_pack("{s:o}", "lines", lines);
	return 0;
}

const struct verb kernel_log_verb = {
	.name = "kernel-log",
	.run = kernel_log_run,
};
