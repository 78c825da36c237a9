// SPDX-License-Identifier: GPL-2.0
/* Evidence of the path the data took: counters before and after, pool level. */
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/files.h"
#include "setup/target.h"
#include "work/evidence.h"

struct evidence_sources evidence_sources(const struct state *s, long period_ns)
{
	return (struct evidence_sources) {
		.disk = s->fabric_dev,
		.nqn = s->is_target ? s->args.nqn : "",
		.p2p_device = s->p2p_device,
		.period_ns = period_ns,
	};
}

/* Without the attributes this kernel does not count: known stays false. */
static int p2p_stat_read(const char *nqn, struct p2p_stat *p, struct failure *f)
{
	char path[PATH_MAX];

	*p = (struct p2p_stat) { };
	if (!nqn[0] || !exists(target_ns_path(path, nqn, "p2pmem_requests")))
		return 0;
	p->known = true;
	expect(f, "evidence", "p2pmem_requests, _bytes and _fallbacks");
	if (read_u64(path, &p->requests) ||
	    read_u64(target_ns_path(path, nqn, "p2pmem_bytes"), &p->bytes) ||
	    read_u64(target_ns_path(path, nqn, "p2pmem_fallbacks"), &p->fallbacks))
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
	struct timespec period = { .tv_nsec = e->from.period_ns };
	char path[PATH_MAX];
	int fd;

	path_in(path, roots.sysfs, "bus/pci/devices/%s/p2pmem/available",
		e->from.p2p_device);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	while (!__atomic_load_n(&e->stop, __ATOMIC_ACQUIRE)) {
		sample(e, fd);
		if (e->from.period_ns)
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

	if (!e->from.p2p_device[0])
		return 0;
	if (pool_read(e->from.p2p_device, &e->pool, f))
		return -1;
	e->low = e->pool.available;
	if (e->from.period_ns == SAMPLE_NONE)
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

static int counters_read(const struct evidence_sources *from,
			 struct p2p_stat *p2p, struct io_stat *io,
			 struct failure *f)
{
	if (p2p_stat_read(from->nqn, p2p, f))
		return -1;
	return from->disk[0] ? io_stat_read(from->disk, io, f) : 0;
}

int evidence_begin(struct evidence *e, const struct evidence_sources *from,
		   struct failure *f)
{
	*e = (struct evidence) { .from = *from };
	return counters_read(from, &e->p2p, &e->io, f) || sampler_start(e, f);
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

static json_t *io_json(const struct evidence *e, const struct io_stat *after)
{
	const struct io_stat *a = &e->io, *b = after;

	if (!e->from.disk[0])
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:I}",
			 "reads", (json_int_t)(b->reads - a->reads),
			 "read_bytes",
			 (json_int_t)(b->read_bytes - a->read_bytes),
			 "writes", (json_int_t)(b->writes - a->writes),
			 "write_bytes",
			 (json_int_t)(b->write_bytes - a->write_bytes));
}

static json_t *level_json(const struct evidence *e, const struct pool *after)
{
	if (!e->from.p2p_device[0])
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:I, s:I}",
			 "size", (json_int_t)e->pool.size,
			 "before", (json_int_t)e->pool.available,
			 "low", (json_int_t)e->low,
			 "after", (json_int_t)after->available,
			 "samples", (json_int_t)e->samples);
}

int evidence_end(struct evidence *e, json_t **json, struct failure *f)
{
	struct p2p_stat p2p;
	struct io_stat io;
	struct pool pool = { };

	*json = NULL;
	sampler_stop(e);
	if (counters_read(&e->from, &p2p, &io, f))
		return -1;
	if (e->from.p2p_device[0] && pool_read(e->from.p2p_device, &pool, f))
		return -1;
	*json = json_pack("{s:o, s:o, s:o}", "p2p", p2p_json(&e->p2p, &p2p),
			  "device", io_json(e, &io),
			  "pool", level_json(e, &pool));
	return 0;
}
