// SPDX-License-Identifier: GPL-2.0
/* Evidence of the path the data took: counters before and after, pool level. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "deadline.h"
#include "evidence.h"
#include "files.h"
#include "provider.h"
#include "target.h"

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
static int io_stat_read(const char *disk, struct io_stat *io, struct failure *f)
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

int evidence_settle(const struct state *s, struct failure *f)
{
	struct quiet q = { .disk = s->fabric_dev };

	expect(f, "connect", "no I/O of others on %s", s->fabric_dev);
	return wait_until(is_quiet, &q, QUIET_S, f);
}

/* Without the attributes this kernel does not count: known stays false. */
static int p2p_stat_read(const struct state *s, struct p2p_stat *p,
			 struct failure *f)
{
	char path[PATH_MAX];

	*p = (struct p2p_stat) { };
	if (!exists(target_ns_path(path, s, "p2pmem_requests")))
		return 0;
	p->known = true;
	expect(f, "evidence", "p2pmem_requests, _bytes and _fallbacks");
	if (read_u64(path, &p->requests) ||
	    read_u64(target_ns_path(path, s, "p2pmem_bytes"), &p->bytes) ||
	    read_u64(target_ns_path(path, s, "p2pmem_fallbacks"), &p->fallbacks))
		return got(f, "no number in %s", path);
	return 0;
}

static void sample(struct evidence *e, int fd)
{
	char line[32];
	ssize_t n = pread(fd, line, sizeof(line) - 1, 0);
	u64 available;

	if (n <= 0)
		return;
	line[n] = '\0';
	available = strtoull(line, NULL, 10);
	if (available < e->low)
		__atomic_store_n(&e->low, available, __ATOMIC_RELAXED);
	e->samples++;
}

static void *sampler(void *arg)
{
	struct evidence *e = arg;
	struct timespec period = { .tv_nsec = e->period_ns };
	char path[PATH_MAX];
	int fd;

	path_in(path, roots.sysfs, "bus/pci/devices/%s/p2pmem/available",
		e->setup->p2p_device);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	while (!__atomic_load_n(&e->stop, __ATOMIC_ACQUIRE)) {
		sample(e, fd);
		if (e->period_ns)
			nanosleep(&period, NULL);
		else
			sched_yield();
	}
	close(fd);
	return NULL;
}

static int sampler_start(struct evidence *e, struct failure *f)
{
	int ret;

	if (!e->setup->p2p_device[0])
		return 0;
	if (pool_read(e->setup->p2p_device, &e->pool, f))
		return -1;
	e->low = e->pool.available;
	if (e->period_ns == SAMPLE_NONE)
		return 0;
	expect(f, "evidence", "a thread to sample the pool");
	ret = pthread_create(&e->sampler, NULL, sampler, e);
	if (ret)
		return got(f, "%s", strerror(ret));
	e->sampling = true;
	return 0;
}

static void sampler_stop(struct evidence *e)
{
	if (!e->sampling)
		return;
	__atomic_store_n(&e->stop, true, __ATOMIC_RELEASE);
	pthread_join(e->sampler, NULL);
	e->sampling = false;
}

int evidence_begin(struct evidence *e, const struct state *s, long period_ns,
		   struct failure *f)
{
	*e = (struct evidence) { .setup = s, .period_ns = period_ns };
	expect(f, "evidence", "a machine that is set up");
	if (!s->complete)
		return got(f, "none: order \"setup\" first");
	return p2p_stat_read(s, &e->p2p, f) ||
	       io_stat_read(s->fabric_dev, &e->io, f) ||
	       sampler_start(e, f);
}

bool evidence_pool_seen(struct evidence *e)
{
	return !e->sampling ||
	       __atomic_load_n(&e->low, __ATOMIC_RELAXED) < e->pool.available;
}

static json_t *p2p_json(const struct p2p_stat *a, const struct p2p_stat *b)
{
	if (!a->known)
		return json_null();
	return json_pack("{s:I, s:I, s:I}",
			 "requests", (json_int_t)(b->requests - a->requests),
			 "bytes", (json_int_t)(b->bytes - a->bytes),
			 "fallbacks", (json_int_t)(b->fallbacks - a->fallbacks));
}

static json_t *io_json(const struct io_stat *a, const struct io_stat *b)
{
	return json_pack("{s:I, s:I, s:I, s:I}",
			 "reads", (json_int_t)(b->reads - a->reads),
			 "read_bytes",
			 (json_int_t)(b->read_bytes - a->read_bytes),
			 "writes", (json_int_t)(b->writes - a->writes),
			 "write_bytes",
			 (json_int_t)(b->write_bytes - a->write_bytes));
}

static json_t *pool_json(const struct evidence *e, const struct pool *after)
{
	if (!e->setup->p2p_device[0])
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:I, s:I}",
			 "size", (json_int_t)e->pool.size,
			 "before", (json_int_t)e->pool.available,
			 "low", (json_int_t)e->low,
			 "after", (json_int_t)after->available,
			 "samples", (json_int_t)e->samples);
}

json_t *evidence_end(struct evidence *e, struct failure *f)
{
	const struct state *s = e->setup;
	struct p2p_stat p2p;
	struct io_stat io;
	struct pool after = { };

	sampler_stop(e);
	if (p2p_stat_read(s, &p2p, f) || io_stat_read(s->fabric_dev, &io, f))
		return NULL;
	if (s->p2p_device[0] && pool_read(s->p2p_device, &after, f))
		return NULL;
	return json_pack("{s:o, s:o, s:o}", "p2p", p2p_json(&e->p2p, &p2p),
			 "device", io_json(&e->io, &io),
			 "pool", pool_json(e, &after));
}
