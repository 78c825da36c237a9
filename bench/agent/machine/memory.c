// SPDX-License-Identifier: GPL-2.0
/* The machine's memory: its zones, and what the kernel says is left. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/files.h"
#include "lib/verb.h"
#include "machine/memory.h"

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

u64 meminfo_kb(const char *name)
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

static int memory_run(struct call *call, struct failure *f)
{
	struct zones z;

	if (zones_read(&z, f))
		return -1;
	call->result = json_pack("{s:I, s:I, s:I, s:I, s:I}",
				 "free_pages", (json_int_t)z.free_pages,
				 "device_zone_spanned", (json_int_t)z.device_spanned,
				 "device_zone_present", (json_int_t)z.device_present,
				 "device_zone_managed", (json_int_t)z.device_managed,
				 "mem_available_kb",
				 (json_int_t)meminfo_kb("MemAvailable"));
	return 0;
}

const struct verb memory_verb = {
	.name = "memory",
	.run = memory_run,
};
