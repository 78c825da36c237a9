// SPDX-License-Identifier: GPL-2.0
/* Small files of sysfs, procfs and configfs, below roots that tests replace. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/files.h"

struct roots roots = {
	.sysfs = "/sys",
	.procfs = "/proc",
	.configfs = "/sys/kernel/config",
	.devfs = "/dev",
};

char *path_in(char *path, const char *root, const char *fmt, ...)
{
	size_t len = snprintf(path, PATH_MAX, "%s/", root);
	va_list ap;

	va_start(ap, fmt);
	if (len < PATH_MAX)
		vsnprintf(path + len, PATH_MAX - len, fmt, ap);
	va_end(ap);
	return path;
}

bool exists(const char *path)
{
	return !access(path, F_OK);
}

/* Twice the room, and the NUL's besides. */
static int text_grow(char **text, size_t *room)
{
	char *larger = realloc(*text, 2 * *room + 1);

	if (!larger)
		return -1;
	*text = larger;
	*room *= 2;
	return 0;
}

char *read_all(const char *path, size_t *len)
{
	size_t size = 0, room = 4096;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = malloc(room + 1);
	ssize_t n = fd < 0 || !text ? -1 : 0;

	while (n >= 0) {
		n = read(fd, text + size, room - size);
		if (n <= 0)
			break;
		size += n;
		if (size == room && text_grow(&text, &room))
			n = -1;
	}
	if (fd >= 0)
		close(fd);
	if (n < 0) {
		free(text);
		return NULL;
	}
	text[size] = '\0';
	if (len)
		*len = size;
	return text;
}

/* The first line, without the blanks at its end (serials are padded). */
int read_line(const char *path, char *line, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	line[0] = '\0';
	if (fd < 0)
		return -errno;
	n = read(fd, line, size - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n < 0)
		return n;
	line[n] = '\0';
	n = strcspn(line, "\n");
	while (n > 0 && (line[n - 1] == ' ' || line[n - 1] == '\t'))
		n--;
	line[n] = '\0';
	return 0;
}

int read_u64(const char *path, u64 *value)
{
	char line[64], *end;
	int ret = read_line(path, line, sizeof(line));

	*value = 0;
	if (ret)
		return ret;
	errno = 0;
	*value = strtoull(line, &end, 0);
	if (errno || end == line || *end)
		return -EINVAL;
	return 0;
}

int write_line(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	if (n < 0)
		n = -errno;
	close(fd);
	return n < 0 ? n : 0;
}

/* The last part of what a symbolic link points to: sysfs' way of naming. */
int link_name(const char *path, char *name, size_t size)
{
	char target[PATH_MAX], *slash;
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	name[0] = '\0';
	if (n < 0)
		return -errno;
	target[n] = '\0';
	slash = strrchr(target, '/');
	snprintf(name, size, "%s", slash ? slash + 1 : target);
	return 0;
}

bool line_is(const char *path, const char *text)
{
	char line[512];

	return !read_line(path, line, sizeof(line)) && !strcmp(line, text);
}

char *names_in(char *names, size_t size, const char *root, const char *dir)
{
	char path[PATH_MAX];
	size_t len = 0;
	glob_t g;

	snprintf(names, size, "none");
	if (glob(path_in(path, root, "%s/*", dir), 0, NULL, &g))
		return names;
	for (size_t i = 0; i < g.gl_pathc && len < size; i++)
		len += snprintf(names + len, size - len, "%s%s", i ? " " : "",
				strrchr(g.gl_pathv[i], '/') + 1);
	globfree(&g);
	return names;
}
