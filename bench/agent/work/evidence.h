/* SPDX-License-Identifier: GPL-2.0 */
/* Evidence of the path the data took: counters before and after, pool level. */
#ifndef P2PAGENT_EVIDENCE_H
#define P2PAGENT_EVIDENCE_H

#include <jansson.h>
#include <pthread.h>

#include "lib/types.h"
#include "setup/io_stat.h"
#include "setup/pool.h"
#include "setup/state.h"

struct p2p_stat {
	bool known;		/* this kernel counts */
	u64 requests;
	u64 bytes;
	u64 fallbacks;
};

/* How often the pool is sampled: rarely where speed is measured. */
#define SAMPLE_MEASURED_NS	10000000
#define SAMPLE_COUNTED_NS	200000000	/* each costs instructions */
#define SAMPLE_UNMEASURED_NS	0	/* all the time */
#define SAMPLE_NONE		-1

/* What is read; "" where this machine has none of it. */
struct evidence_sources {
	const char *disk;	/* has counters of I/O */
	const char *nqn;	/* its namespace has counters of P2PDMA */
	const char *p2p_device;	/* its pool has a level */
	long period_ns;		/* of the samples of that level */
};

struct evidence {
	struct evidence_sources from;
	struct io_stat io;
	struct p2p_stat p2p;
	struct pool pool;
	bool sampling;
	bool stop;		/* atomic: tells the sampler to end */
	u64 low;
	u64 samples;
	pthread_t sampler;
};

/* All that a setup has of them. */
struct evidence_sources evidence_sources(const struct state *s, long period_ns);

int evidence_begin(struct evidence *e, const struct evidence_sources *from,
		   struct failure *f);
/* Has the sampler found the pool in use? True also where there is no pool. */
bool evidence_pool_seen(struct evidence *e);

/*
 * Always ends what evidence_begin() began. *json: {"p2p", "device", "pool"}, null
 * where there is no such source; on failure NULL.
 */
int evidence_end(struct evidence *e, json_t **json, struct failure *f);

#endif
