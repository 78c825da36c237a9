/* SPDX-License-Identifier: GPL-2.0 */
/* Small files of sysfs, procfs and configfs, below roots that tests replace. */
#ifndef P2PAGENT_FILES_H
#define P2PAGENT_FILES_H

#include <limits.h>

#include "lib/types.h"

#define DEV_NAME_LEN	32	/* of a disk, or a network interface */

struct roots {
	const char *sysfs;
	const char *procfs;
	const char *configfs;
	const char *devfs;
};

extern struct roots roots;

/* Builds root/<fmt...> in path (PATH_MAX bytes) and returns path. */
char *path_in(char *path, const char *root, const char *fmt, ...)
	__printf(3, 4);

bool exists(const char *path);
int read_line(const char *path, char *line, size_t size);
int read_u64(const char *path, u64 *value);
char *read_all(const char *path, size_t *len);	/* malloc'ed, NUL-terminated */
int write_line(const char *path, const char *text);
int link_name(const char *path, char *name, size_t size);
bool line_is(const char *path, const char *text);
/* "eth0 lo": what a directory holds, for a failure that tells it; or "none" */
char *names_in(char *names, size_t size, const char *root, const char *dir);

#endif
