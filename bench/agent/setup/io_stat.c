// SPDX-License-Identifier: GPL-2.0
/* The I/O counters of a disk. */
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "lib/deadline.h"
#include "lib/files.h"
#include "setup/io_stat.h"

#define SECTOR		512
#define QUIET_TIMES	10	/* 20 ms apart */
#define QUIET_S		30

int io_stat_parse(const char *line, struct io_stat *io)
{
	u64 reads, read_sectors, writes, write_sectors, in_flight;

	if (sscanf(line, "%llu %*u %llu %*u %llu %*u %llu %*u %llu", &reads,
		   &read_sectors, &writes, &write_sectors, &in_flight) != 5)
		return -EINVAL;
	io->reads += reads;
	io->read_bytes += read_sectors * SECTOR;
	io->writes += writes;
	io->write_bytes += write_sectors * SECTOR;
	io->in_flight += in_flight;
	return 0;
}

static int io_stat_add(const char *path, struct io_stat *io, struct failure *f)
{
	char line[512];
	int ret = read_line(path, line, sizeof(line));

	expect(f, "evidence", "I/O counters in %s", path);
	if (ret)
		return got(f, "%s", strerror(-ret));
	return io_stat_parse(line, io) ? got(f, "\"%s\"", line) : 0;
}

/*
 * A multipath head keeps no counters before commit "nvme: multipath: support
 * io stats on the mpath device" (in v6.4); its paths, nvme1c1n1, always do.
 * Any other disk has counters of its own.
 */
int io_stat_read(const char *disk, struct io_stat *io, struct failure *f)
{
	unsigned int subsys, ns;
	char path[PATH_MAX];
	int ret = 0;
	glob_t g;

	*io = (struct io_stat) { };
	path_in(path, roots.sysfs, "class/block/%s/stat", disk);
	if (sscanf(disk, "nvme%un%u", &subsys, &ns) == 2)
		path_in(path, roots.sysfs, "class/block/nvme%uc*n%u/stat",
			subsys, ns);
	if (glob(path, 0, NULL, &g))
		return io_stat_add(path_in(path, roots.sysfs,
					   "class/block/%s/stat", disk), io, f);
	for (size_t i = 0; i < g.gl_pathc && !ret; i++)
		ret = io_stat_add(g.gl_pathv[i], io, f);
	globfree(&g);
	return ret;
}

struct quiet {
	const char *disk;
	struct io_stat last;
	int times;		/* that nothing had changed */
};

static bool is_quiet(void *arg)
{
	struct quiet *q = arg;
	struct io_stat now;
	struct failure f;

	if (io_stat_read(q->disk, &now, &f))
		return false;
	if (now.in_flight || memcmp(&now, &q->last, sizeof(now)))
		q->times = 0;
	else
		q->times++;
	q->last = now;
	return q->times >= QUIET_TIMES;
}

int io_stat_settle(const char *disk, struct failure *f)
{
	struct quiet q = { .disk = disk };

	expect(f, "connect", "no I/O of others on %s", disk);
	return wait_until(is_quiet, &q, QUIET_S, f);
}
