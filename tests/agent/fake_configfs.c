// SPDX-License-Identifier: GPL-2.0
/*
 * Preloaded into p2pagent by the tests: below FAKE_CONFIGFS an ordinary
 * directory behaves as nvmet's configfs does. mkdir() makes the attributes,
 * rmdir() refuses while something made by the user is inside, and a port is
 * enabled by the symbolic link in it. What happens is written to FAKE_LOG.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const subsystem[] = { "attr_allow_any_host", NULL };
static const char *const namespace[] = { "device_path", "p2pmem", "enable", NULL };
static const char *const port[] = { "param_inline_data_size", "addr_trtype", "addr_adrfam",
	"addr_traddr", "addr_trsvcid", NULL };

/* What a directory is, by where it lies; group: the directory it comes with. */
struct kind {
	const char *pattern;
	const char *const *attributes;
	const char *group;
};

static const struct kind kinds[] = {
	{ "nvmet/subsystems/%*[^/]/namespaces/%*[^/]%n", namespace, NULL },
	{ "nvmet/subsystems/%*[^/]%n", subsystem, "namespaces" },
	{ "nvmet/ports/%*[^/]%n", port, "subsystems" },
	{ }
};

static const char *below(const char *path)
{
	const char *root = getenv("FAKE_CONFIGFS");
	size_t len = root ? strlen(root) : 0;

	return len && !strncmp(path, root, len) && path[len] == '/' ? path + len + 1 : NULL;
}

static const struct kind *kind_of(const char *path)
{
	const char *rest = below(path);

	for (const struct kind *kind = kinds; rest && kind->pattern; kind++) {
		int end = 0;

		if (sscanf(rest, kind->pattern, &end) == EOF || !end)
			continue;
		if (!rest[end] || !strcmp(rest + end, "/"))
			return kind;
	}
	return NULL;
}

static void note(const char *what, const char *path)
{
	FILE *log = fopen(getenv("FAKE_LOG"), "a");

	fprintf(log, "%s %s\n", what, below(path));
	fclose(log);
}

static void make_attribute(const char *name, const char *value)
{
	FILE *file = fopen(name, "w");

	fputs(value, file);
	fclose(file);
}

int mkdir(const char *path, mode_t mode)
{
	int (*real)(const char *path, mode_t mode) = dlsym(RTLD_NEXT, "mkdir");
	const struct kind *kind = kind_of(path);
	char name[PATH_MAX];
	int ret = real(path, mode);

	if (ret || !kind)
		return ret;
	note("mkdir", path);
	for (const char *const *a = kind->attributes; *a; a++) {
		snprintf(name, sizeof(name), "%s/%s", path, *a);
		make_attribute(name, strcmp(*a, "p2pmem") ? "" : "none\n");
	}
	if (kind->group) {
		snprintf(name, sizeof(name), "%s/%s", path, kind->group);
		real(name, mode);
	}
	return 0;
}

int rmdir(const char *path)
{
	int (*real)(const char *path) = dlsym(RTLD_NEXT, "rmdir");
	const struct kind *kind = kind_of(path);
	char name[PATH_MAX];

	if (!kind)
		return real(path);
	if (kind->group) {
		snprintf(name, sizeof(name), "%s/%s", path, kind->group);
		if (real(name))
			return -1;
	}
	for (const char *const *a = kind->attributes; *a; a++) {
		snprintf(name, sizeof(name), "%s/%s", path, *a);
		unlink(name);
	}
	note("rmdir", path);
	return real(path);
}

/* The port's attributes are noted as they are when it is enabled. */
int symlink(const char *target, const char *path)
{
	int (*real)(const char *target, const char *path) = dlsym(RTLD_NEXT, "symlink");
	char pattern[PATH_MAX], value[256], text[PATH_MAX];
	glob_t g;

	snprintf(pattern, sizeof(pattern), "%.*s/../*_*", (int)(strrchr(path, '/') - path), path);
	if (glob(pattern, 0, NULL, &g))
		g.gl_pathc = 0;
	for (size_t i = 0; i < g.gl_pathc; i++) {
		int fd = open(g.gl_pathv[i], O_RDONLY);
		ssize_t n = read(fd, value, sizeof(value) - 1);

		close(fd);
		value[n > 0 ? n : 0] = '\0';
		snprintf(text, sizeof(text), "%s=%s", strrchr(g.gl_pathv[i], '/') + 1, value);
		note(text, path);
	}
	note("link", path);
	return real(target, path);
}
