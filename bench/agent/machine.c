// SPDX-License-Identifier: GPL-2.0
/* What the machine says about itself: versions, memory, kernel log. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "channel.h"
#include "command.h"
#include "files.h"
#include "machine.h"

/* One line of zoneinfo; device: it is within a zone "Device". */
static void zoneinfo_line(const char *line, bool device, struct zones *z)
{
	u64 n;

	if (sscanf(line, " pages free %llu", &n) == 1)
		z->free_pages += n;
	else if (device && sscanf(line, " spanned %llu", &n) == 1)
		z->device_spanned += n;
	else if (device && sscanf(line, " present %llu", &n) == 1)
		z->device_present += n;
	else if (device && sscanf(line, " managed %llu", &n) == 1)
		z->device_managed += n;
}

int zoneinfo_parse(const char *text, struct zones *z)
{
	bool device = false, any = false;
	char zone[32];

	*z = (struct zones) { };
	for (const char *line = text; *line; line++) {
		if (sscanf(line, "Node %*d, zone %31s", zone) == 1) {
			device = !strcmp(zone, "Device");
			any = true;
		}
		zoneinfo_line(line, device, z);
		line += strcspn(line, "\n");
		if (!*line)
			break;
	}
	return any ? 0 : -EINVAL;
}

int zones_read(struct zones *z, struct failure *f)
{
	char path[PATH_MAX];
	char *text;
	int ret;

	expect(f, "memory", "zones in %s", path_in(path, roots.procfs, "zoneinfo"));
	text = read_all(path, NULL);
	if (!text)
		return got(f, "%s", strerror(errno));
	ret = zoneinfo_parse(text, z);
	free(text);
	return ret ? got(f, "none") : 0;
}

static u64 meminfo_kb(const char *name)
{
	char path[PATH_MAX];
	char *text = read_all(path_in(path, roots.procfs, "meminfo"), NULL);
	char *at = text ? strstr(text, name) : NULL;
	u64 kb = 0;

	if (at && sscanf(at + strlen(name), ": %llu", &kb) != 1)
		kb = 0;
	free(text);
	return kb;
}

const char *kernel_release(void)
{
	static struct utsname u;

	uname(&u);
	return u.release;
}

double uptime_s(void)
{
	char path[PATH_MAX], line[64];

	read_line(path_in(path, roots.procfs, "uptime"), line, sizeof(line));
	return strtod(line, NULL);
}

/* The first line that a tool prints about its version; null: no such tool. */
static json_t *tool_version(const char *tool, const char *option)
{
	const char *const argv[] = { tool, option, NULL };
	struct failure f;
	char *out = command_output("info", argv, 10, &f);
	json_t *version = out ? json_text(out, strcspn(out, "\n")) : json_null();

	free(out);
	return version;
}

int machine_info(json_t **result, struct failure *f)
{
	char path[PATH_MAX];
	char cmdline[4096];
	struct utsname u;

	uname(&u);
	expect(f, "info", "a readable %s", path_in(path, roots.procfs, "cmdline"));
	if (read_line(path, cmdline, sizeof(cmdline)))
		return got(f, "%s", strerror(errno));
	*result = json_pack("{s:s, s:s, s:o, s:I, s:I}",
			    "kernel", u.release, "build", u.version,
			    "cmdline", json_text(cmdline, strlen(cmdline)),
			    "cpus", (json_int_t)sysconf(_SC_NPROCESSORS_ONLN),
			    "mem_total_kb", (json_int_t)meminfo_kb("MemTotal"));
	return 0;
}

/* Each tool is started for it, which takes a second of an emulated machine. */
int machine_tools(json_t **result, struct failure *f)
{
	(void)f;
	*result = json_pack("{s:o, s:o, s:o, s:o}",
			    "fio", tool_version("fio", "--version"),
			    "nvme", tool_version("nvme", "version"),
			    "rdma", tool_version("rdma", "-V"),
			    "ip", tool_version("ip", "-V"));
	return 0;
}

int machine_memory(json_t **result, struct failure *f)
{
	struct zones z;

	if (zones_read(&z, f))
		return -1;
	*result = json_pack("{s:I, s:I, s:I, s:I, s:I}",
			    "free_pages", (json_int_t)z.free_pages,
			    "device_zone_spanned", (json_int_t)z.device_spanned,
			    "device_zone_present", (json_int_t)z.device_present,
			    "device_zone_managed", (json_int_t)z.device_managed,
			    "mem_available_kb",
			    (json_int_t)meminfo_kb("MemAvailable"));
	return 0;
}

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

static void keep_if_found(const char *line, void *arg)
{
	struct search *search = arg;

	if (strstr(line, search->word))
		snprintf(search->line, search->size, "%s", line);
}

void kernel_said(const char *word, char *line, size_t size)
{
	struct search search = { .word = word, .line = line, .size = size };
	char path[PATH_MAX];

	line[0] = '\0';
	kmsg_read(path_in(path, roots.devfs, "kmsg"), keep_if_found, &search);
}

static void append_line(const char *line, void *arg)
{
	json_array_append_new(arg, json_text(line, strlen(line)));
}

int machine_kernel_log(json_t **result, struct failure *f)
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
	*result = json_pack("{s:o}", "lines", lines);
	return 0;
}
