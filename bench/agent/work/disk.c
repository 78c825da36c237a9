// SPDX-License-Identifier: GPL-2.0
/* Disks and their I/O schedulers: the target's, and those of ordinary I/O. */
#include <stdio.h>
#include <string.h>

#include "setup/nvme.h"
#include "work/disk.h"

#define STEP		"scheduler"
#define NULL_BLK	"nullb0"

int disk_find(const char *device, const char *nvme_serial,
	      char disk[DEV_NAME_LEN], struct failure *f)
{
	struct nvme_disk nvme;
	char path[PATH_MAX];

	if (!strcmp(device, "nvme")) {
		if (nvme_find_unused(nvme_serial, &nvme, f))
			return -1;
		snprintf(disk, DEV_NAME_LEN, "%s", nvme.name);
		return 0;
	}
	expect(f, "find the disk", "%s, of null_blk",
	       path_in(path, roots.devfs, NULL_BLK));
	if (!exists(path))
		return got(f, "none");
	snprintf(disk, DEV_NAME_LEN, NULL_BLK);
	return 0;
}

/* "[none] mq-deadline": the one in brackets is in use */
static int scheduler_parse(const char *line, char name[DEV_NAME_LEN])
{
	const char *open = strchr(line, '[');

	return open && sscanf(open, "[%31[^]]]", name) == 1 ? 0 : -1;
}

int disk_scheduler(const char *disk, const char *name, char old[DEV_NAME_LEN],
		   struct failure *f)
{
	char path[PATH_MAX], line[256];
	int ret;

	path_in(path, roots.sysfs, "class/block/%s/queue/scheduler", disk);
	expect(f, STEP, "the scheduler of %s in %s", disk, path);
	ret = read_line(path, line, sizeof(line));
	if (ret)
		return got(f, "%s", strerror(-ret));
	if (scheduler_parse(line, old))
		return got(f, "\"%s\"", line);
	expect(f, STEP, "%s to take \"%s\" (it has: %s)", path, name, line);
	ret = write_line(path, name);
	return ret ? got(f, "%s", strerror(-ret)) : 0;
}
