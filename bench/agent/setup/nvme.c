// SPDX-License-Identifier: GPL-2.0
/* NVMe disks: the target's own, and the one of a subsystem. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/channel.h"
#include "lib/files.h"
#include "setup/nvme.h"

#define STEP	"find the backing device"

/* "nvme1n1"; neither "nvme1c1n1" (one path of it) nor "nvme1n1p1" */
static bool is_disk(const char *name)
{
	unsigned int ctrl, ns;
	int end = 0;

	return sscanf(name, "nvme%un%u%n", &ctrl, &ns, &end) == 2 && !name[end];
}

/* device/ is the controller's directory, or the subsystem's with multipath. */
static bool is_disk_of(const char *dir, const char *nqn)
{
	const char *name = strrchr(dir, '/') + 1;
	char path[PATH_MAX];
	u64 size;

	return is_disk(name) &&
	       line_is(path_in(path, dir, "device/subsysnqn"), nqn) &&
	       !read_u64(path_in(path, dir, "size"), &size) && size &&
	       exists(path_in(path, roots.devfs, "%s", name));
}

bool nvme_disk_of(const char *nqn, char disk[DEV_NAME_LEN])
{
	char path[PATH_MAX];
	bool matches = false;
	glob_t g;

	if (glob(path_in(path, roots.sysfs, "class/block/nvme*"), 0, NULL, &g))
		return false;
	for (size_t i = 0; i < g.gl_pathc && !matches; i++) {
		matches = is_disk_of(g.gl_pathv[i], nqn);
		if (matches)
			snprintf(disk, DEV_NAME_LEN, "%s",
				 strrchr(g.gl_pathv[i], '/') + 1);
	}
	globfree(&g);
	return matches;
}

/* Is it a PCI controller, and the one that is looked for ("": any)? */
static bool is_backing(const char *ctrl, const char *serial)
{
	char path[PATH_MAX];

	if (!line_is(path_in(path, ctrl, "transport"), "pcie"))
		return false;
	return !serial[0] || line_is(path_in(path, ctrl, "serial"), serial);
}

/* Leaves the controller's directory in ctrl. */
static int find_ctrl(const char *serial, char ctrl[PATH_MAX], struct failure *f)
{
	char path[PATH_MAX], line[64], seen[400] = "";
	unsigned int matches = 0;
	size_t len = 0;
	glob_t g;

	expect(f, STEP, serial[0] ?
	       "one PCI NVMe controller with serial \"%s\"" :
	       "one PCI NVMe controller%s", serial);
	path_in(path, roots.sysfs, "class/nvme/nvme*");
	if (glob(path, 0, NULL, &g))
		return got(f, "no NVMe controller at all");
	for (size_t i = 0; i < g.gl_pathc; i++) {
		const char *dir = g.gl_pathv[i];

		read_line(path_in(path, dir, "serial"), line, sizeof(line));
		if (len < sizeof(seen))
			len += snprintf(seen + len, sizeof(seen) - len,
					" %s \"%s\"", strrchr(dir, '/') + 1,
					line);
		if (is_backing(dir, serial) && !matches++)
			snprintf(ctrl, PATH_MAX, "%s", dir);
	}
	globfree(&g);
	return matches == 1 ? 0 : got(f, "%u among%s", matches, seen);
}

/* What is mounted, claimed or divided into partitions is somebody's data. */
static int check_unused(const char *disk, struct failure *f)
{
	char path[PATH_MAX];
	glob_t g;
	int fd;

	expect(f, STEP, "a disk that nobody uses");
	path_in(path, roots.sysfs, "class/block/%s/%sp*", disk, disk);
	if (!glob(path, 0, NULL, &g)) {
		globfree(&g);
		return got(f, "%s has partitions", disk);
	}
	fd = open(path_in(path, roots.devfs, "%s", disk),
		  O_RDWR | O_EXCL | O_CLOEXEC);
	if (fd < 0)
		return got(f, "%s: %s", path, strerror(errno));
	close(fd);
	return 0;
}

int nvme_find_unused(const char *serial, struct nvme_disk *disk,
		     struct failure *f)
{
	char ctrl[PATH_MAX], path[PATH_MAX], nqn[256];

	progress(STEP);
	if (find_ctrl(serial, ctrl, f))
		return -1;
	read_line(path_in(path, ctrl, "address"), disk->pci, sizeof(disk->pci));
	read_line(path_in(path, ctrl, "subsysnqn"), nqn, sizeof(nqn));
	expect(f, STEP, "a namespace of %s (%s) with a size", ctrl, nqn);
	if (!nvme_disk_of(nqn, disk->name))
		return got(f, "none");
	return check_unused(disk->name, f);
}
