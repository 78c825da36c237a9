// SPDX-License-Identifier: GPL-2.0
/* Whose memory carries the data: the host's, a CMB, or a device's BAR. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/channel.h"
#include "lib/deadline.h"
#include "lib/files.h"
#include "machine/kernel_log.h"
#include "machine/memory.h"
#include "setup/provider.h"

#define MODULE		"p2p_provider"
#define POOL_BACK_S	30

struct provider {
	const char *name;
	int (*refuse)(struct state *s, struct failure *f);
	int (*setup)(struct state *s, struct failure *f);
};

static char *pci_path(char *path, const char *pci, const char *attr)
{
	return path_in(path, roots.sysfs, "bus/pci/devices/%s/%s", pci, attr);
}

static bool pool_is_back(void *arg)
{
	struct state *s = arg;
	struct failure f;
	struct pool now;

	return !pool_read(s->p2p_device, &now, &f) &&
	       now.available == s->pool.available;
}

/* Everything that was taken from the pool has to come back to it. */
static int pool_undo(struct state *s, struct failure *f)
{
	u64 before = s->pool.available;
	struct failure waited;
	struct pool now;
	int ret;

	expect(&waited, "pool", "%llu bytes available", before);
	ret = wait_until(pool_is_back, s, POOL_BACK_S, &waited);
	if (pool_read(s->p2p_device, &now, f))
		return -1;
	if (ret) {
		*f = waited;
		return got(f, "%llu of %llu bytes, %s",
			   now.available, now.size, waited.got);
	}
	s->pool = now;
	return 0;
}

static int pool_setup(struct state *s, struct failure *f)
{
	char path[PATH_MAX], line[16];

	progress("pool");
	if (pool_read(s->p2p_device, &s->pool, f))
		return -1;
	expect(f, "pool", "published peer memory of %s", s->p2p_device);
	if (!s->pool.size)
		return got(f, "a pool of 0 bytes");
	read_line(pci_path(path, s->p2p_device, "p2pmem/published"), line,
		  sizeof(line));
	if (strcmp(line, "1"))
		return got(f, "published = \"%s\"", line);
	undo_push(s, "pool", pool_undo);
	return 0;
}

static int cmb_setup(struct state *s, struct failure *f)
{
	snprintf(s->p2p_device, sizeof(s->p2p_device), "%s", s->backing.pci);
	return pool_setup(s, f);
}

static int bar_refuse(struct state *s, struct failure *f)
{
	char path[PATH_MAX], driver[64];

	expect(f, "insmod", "no module " MODULE " loaded before");
	if (exists(path_in(path, roots.sysfs, "module/" MODULE)))
		return got(f, "it is loaded: rmmod " MODULE);
	if (pci_find(s->args.bar.pci, s->p2p_device, f))
		return -1;
	expect(f, "bind", "no driver on %s", s->p2p_device);
	if (!link_name(pci_path(path, s->p2p_device, "driver"), driver,
		       sizeof(driver)))
		return got(f, "%s", driver);
	return 0;
}

static int rmmod(struct state *s, struct failure *f)
{
	(void)s;
	expect(f, "rmmod", "the kernel to unload " MODULE);
	if (syscall(SYS_delete_module, MODULE, O_NONBLOCK))
		return got(f, "%s", strerror(errno));
	return 0;
}

static int insmod(struct state *s, struct failure *f)
{
	const struct bar_args *b = &s->args.bar;
	char params[128];
	int fd, ret;

	progress("insmod");
	snprintf(params, sizeof(params), "bar=%llu offset=%llu size=%llu",
		 b->bar, b->offset, b->size);
	expect(f, "insmod", "the kernel to load %s %s", s->args.module, params);
	fd = open(s->args.module, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return got(f, "%s", strerror(errno));
	ret = syscall(SYS_finit_module, fd, params, 0) ? errno : 0;
	close(fd);
	if (ret)
		return got(f, "%s", strerror(ret));
	undo_push(s, "rmmod", rmmod);
	return 0;
}

static int override_undo(struct state *s, struct failure *f)
{
	char path[PATH_MAX];
	int ret;

	expect(f, "driver_override", "to empty %s",
	       pci_path(path, s->p2p_device, "driver_override"));
	ret = write_line(path, "\n");
	return ret ? got(f, "%s", strerror(-ret)) : 0;
}

static int removal_read(struct state *s, struct failure *f)
{
	struct removal *r = &s->removal;
	const struct { const char *name; u64 *value; } params[] = {
		{ "remove_ns", &r->ns },
		{ "remove_free_pages_before", &r->free_pages_before },
		{ "remove_free_pages_after", &r->free_pages_after },
	};
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(params); i++) {
		path_in(path, roots.sysfs, "module/" MODULE "/parameters/%s",
			params[i].name);
		expect(f, "unbind", "a number in %s", path);
		if (read_u64(path, params[i].value))
			return got(f, "none");
	}
	return 0;
}

/* Timed: what it costs to take the memory back is a result of its own. */
static int unbind(struct state *s, struct failure *f)
{
	char path[PATH_MAX];
	s64 start;
	int ret;

	expect(f, "unbind", MODULE " to give %s back", s->p2p_device);
	path_in(path, roots.sysfs, "bus/pci/drivers/" MODULE "/unbind");
	start = now_ns();
	ret = write_line(path, s->p2p_device);
	s->removal.unbind_ns = now_ns() - start;
	if (ret)
		return got(f, "%s", strerror(-ret));
	return removal_read(s, f);
}

static int bind(struct state *s, struct failure *f)
{
	char path[PATH_MAX], us[64], line[400];
	int ret;

	progress("bind");
	expect(f, "bind", "%s to take " MODULE,
	       pci_path(path, s->p2p_device, "driver_override"));
	ret = write_line(path, MODULE);
	if (ret)
		return got(f, "%s", strerror(-ret));
	undo_push(s, "driver_override", override_undo);

	expect(f, "bind", MODULE " to accept %s", s->p2p_device);
	path_in(path, roots.sysfs, "bus/pci/drivers/" MODULE "/bind");
	ret = write_line(path, s->p2p_device);
	snprintf(us, sizeof(us), MODULE " %s", s->p2p_device);
	kernel_log_last(us, line, sizeof(line));
	if (ret)
		return got(f, "%s; kernel log: %s", strerror(-ret), line);
	undo_push(s, "unbind", unbind);
	return 0;
}

static int registration_read(struct state *s, struct failure *f)
{
	struct registration *r = &s->registration;
	const struct { const char *attr; u64 *value; } attrs[] = {
		{ MODULE "/register_ns", &r->ns },
		{ MODULE "/free_pages_before", &r->free_pages_before },
		{ MODULE "/free_pages_after", &r->free_pages_after },
		{ MODULE "/granule", &r->granule },
		{ MODULE "/page_tables", &r->page_tables },
	};
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(attrs); i++) {
		expect(f, "bind", "a number in %s",
		       pci_path(path, s->p2p_device, attrs[i].attr));
		if (read_u64(path, attrs[i].value))
			return got(f, "none");
	}
	return 0;
}

static int bar_setup(struct state *s, struct failure *f)
{
	struct zones before, after;

	if (insmod(s, f) || zones_read(&before, f) || bind(s, f) ||
	    zones_read(&after, f) || registration_read(s, f))
		return -1;
	/* The kernel never shrinks the zone: what this registration added. */
	s->registration.device_zone_pages =
		after.device_spanned - before.device_spanned;
	return pool_setup(s, f);
}

static int nothing(struct state *s, struct failure *f)
{
	(void)s;
	(void)f;
	return 0;
}

static const struct provider providers[] = {
	{ .name = "host", .refuse = nothing, .setup = nothing },
	{ .name = "cmb", .refuse = nothing, .setup = cmb_setup },
	{ .name = "bar", .refuse = bar_refuse, .setup = bar_setup },
	{ }
};

const struct provider *provider_named(const char *name)
{
	for (const struct provider *p = providers; p->name; p++)
		if (!strcmp(p->name, name))
			return p;
	return NULL;
}

int provider_refuse(struct state *s, struct failure *f)
{
	return s->provider->refuse(s, f);
}

int provider_setup(struct state *s, struct failure *f)
{
	return s->provider->setup(s, f);
}
