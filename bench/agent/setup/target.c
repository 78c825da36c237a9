// SPDX-License-Identifier: GPL-2.0
/* nvmet, through configfs. */
#include <errno.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/channel.h"
#include "lib/files.h"
#include "setup/target.h"

static char *subsys_path(char *path, const struct state *s, const char *attr)
{
	return path_in(path, roots.configfs, "nvmet/subsystems/%s/%s",
		       s->args.nqn, attr);
}

char *target_ns_path(char *path, const char *nqn, const char *attr)
{
	return path_in(path, roots.configfs, "nvmet/subsystems/%s/namespaces/1/%s",
		       nqn, attr);
}

static char *ns_path(char *path, const struct state *s, const char *attr)
{
	return target_ns_path(path, s->args.nqn, attr);
}

/* The port's number is its service's, to stay clear of others' ports 1, 2… */
static char *port_path(char *path, const struct state *s, const char *attr)
{
	return path_in(path, roots.configfs, "nvmet/ports/%u/%s",
		       (unsigned int)s->args.svc, attr);
}

static char *link_path(char *path, const struct state *s)
{
	return path_in(path, roots.configfs, "nvmet/ports/%u/subsystems/%s",
		       (unsigned int)s->args.svc, s->args.nqn);
}

static int refuse_service(struct state *s, struct failure *f)
{
	char path[PATH_MAX], svc[16];
	glob_t g;

	snprintf(svc, sizeof(svc), "%u", (unsigned int)s->args.svc);
	expect(f, "nvmet port", "no nvmet port on service %s before", svc);
	if (exists(port_path(path, s, "")))
		return got(f, "%s", path);
	if (glob(path_in(path, roots.configfs, "nvmet/ports/*"), 0, NULL, &g))
		return 0;
	for (size_t i = 0; i < g.gl_pathc; i++)
		if (line_is(path_in(path, g.gl_pathv[i], "addr_trsvcid"), svc)) {
			globfree(&g);
			return got(f, "%s", path);
		}
	globfree(&g);
	return 0;
}

int target_refuse(struct state *s, struct failure *f)
{
	char path[PATH_MAX];

	expect(f, "nvmet", "nvmet in %s (modprobe nvmet-rdma)", roots.configfs);
	if (!exists(path_in(path, roots.configfs, "nvmet/subsystems")))
		return got(f, "no %s", path);
	expect(f, "nvmet subsystem", "no subsystem %s before", s->args.nqn);
	if (exists(subsys_path(path, s, "")))
		return got(f, "%s", path);
	return refuse_service(s, f);
}

static int make_dir(const char *step, const char *path, struct failure *f)
{
	progress(step);
	expect(f, step, "mkdir %s", path);
	return mkdir(path, 0755) ? got(f, "%s", strerror(errno)) : 0;
}

static int remove_dir(const char *step, const char *path, struct failure *f)
{
	expect(f, step, "rmdir %s", path);
	return rmdir(path) ? got(f, "%s", strerror(errno)) : 0;
}

__printf(4, 5)
static int set(const char *step, const char *path, struct failure *f,
	       const char *fmt, ...)
{
	char value[512];
	va_list ap;
	int ret;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	expect(f, step, "%s = %s", path, value);
	ret = write_line(path, value);
	return ret ? got(f, "%s", strerror(-ret)) : 0;
}

static int subsys_undo(struct state *s, struct failure *f)
{
	char path[PATH_MAX];

	return remove_dir("nvmet subsystem", subsys_path(path, s, ""), f);
}

static int subsys_setup(struct state *s, struct failure *f)
{
	char path[PATH_MAX];

	if (make_dir("nvmet subsystem", subsys_path(path, s, ""), f))
		return -1;
	undo_push(s, "nvmet subsystem", subsys_undo);
	return set("nvmet subsystem",
		   subsys_path(path, s, "attr_allow_any_host"), f, "1");
}

static int ns_undo(struct state *s, struct failure *f)
{
	char path[PATH_MAX];

	return remove_dir("nvmet namespace", ns_path(path, s, ""), f);
}

static int ns_setup(struct state *s, struct failure *f)
{
	static const char step[] = "nvmet namespace";
	char path[PATH_MAX];

	if (make_dir(step, ns_path(path, s, ""), f))
		return -1;
	undo_push(s, step, ns_undo);
	if (set(step, ns_path(path, s, "device_path"), f, "%s/%s",
		roots.devfs, s->backing.name))
		return -1;
	if (s->p2p_device[0] &&
	    set(step, ns_path(path, s, "p2pmem"), f, "%s",
		s->p2p_device))
		return -1;
	return set(step, ns_path(path, s, "enable"), f, "1");
}

static int port_undo(struct state *s, struct failure *f)
{
	char path[PATH_MAX];

	return remove_dir("nvmet port", port_path(path, s, ""), f);
}

/* Inline data comes first: a write below its size never uses peer memory. */
static int port_setup(struct state *s, struct failure *f)
{
	static const char step[] = "nvmet port";
	char path[PATH_MAX];

	if (make_dir(step, port_path(path, s, ""), f))
		return -1;
	undo_push(s, step, port_undo);
	return set(step, port_path(path, s, "param_inline_data_size"), f, "%u",
		   (unsigned int)s->args.inline_data_size) ||
	       set(step, port_path(path, s, "addr_trtype"), f, "rdma") ||
	       set(step, port_path(path, s, "addr_adrfam"), f, "%s",
		   strchr(s->host, ':') ? "ipv6" : "ipv4") ||
	       set(step, port_path(path, s, "addr_traddr"), f, "%s", s->host) ||
	       set(step, port_path(path, s, "addr_trsvcid"), f, "%u",
		   (unsigned int)s->args.svc);
}

static int enable_undo(struct state *s, struct failure *f)
{
	char path[PATH_MAX];

	expect(f, "nvmet port link", "unlink %s", link_path(path, s));
	return unlink(path) ? got(f, "%s", strerror(errno)) : 0;
}

/* The link enables the port: nvmet-rdma listens from here on. */
static int enable_setup(struct state *s, struct failure *f)
{
	char path[PATH_MAX], subsys[PATH_MAX];

	progress("nvmet port link");
	expect(f, "nvmet port link", "%s -> %s", link_path(path, s),
	       subsys_path(subsys, s, ""));
	if (symlink(subsys, path))
		return got(f, "%s", strerror(errno));
	undo_push(s, "nvmet port link", enable_undo);
	return 0;
}

int target_setup(struct state *s, struct failure *f)
{
	return subsys_setup(s, f) || ns_setup(s, f) || port_setup(s, f) ||
	       enable_setup(s, f);
}
