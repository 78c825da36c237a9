/* SPDX-License-Identifier: GPL-2.0 */
/* Evidence of the path the data took: counters before and after, pool level. */
#ifndef P2PAGENT_EVIDENCE_H
#define P2PAGENT_EVIDENCE_H

#include <jansson.h>
#include <pthread.h>

#include "state.h"
#include "types.h"

struct io_stat {
	u64 reads;
	u64 read_bytes;
	u64 writes;
	u64 write_bytes;
	u64 in_flight;
};

struct p2p_stat {
	bool known;		/* this kernel counts */
	u64 requests;
	u64 bytes;
	u64 fallbacks;
};

/* The fabric disk is new: wait until the scan for partitions is over. */
int evidence_settle(const struct state *s, struct failure *f);

/* /sys/class/block/<disk>/stat, added to what is in *io */
int io_stat_parse(const char *line, struct io_stat *io);

/* How often the pool is sampled: rarely where speed is measured. */
#define SAMPLE_MEASURED_NS	10000000
#define SAMPLE_COUNTED_NS	200000000	/* each costs instructions */
#define SAMPLE_UNMEASURED_NS	0	/* all the time */
#define SAMPLE_NONE		-1

struct evidence {
	const struct state *setup;
	long period_ns;
	struct io_stat io;
	struct p2p_stat p2p;
	struct pool pool;
	bool sampling;
	bool stop;		/* atomic: tells the sampler to end */
	u64 low;
	u64 samples;
	pthread_t sampler;
};

int evidence_begin(struct evidence *e, const struct state *s, long period_ns,
		   struct failure *f);
/* Has the sampler found the pool in use? True also where there is no pool. */
bool evidence_pool_seen(struct evidence *e);

/* Always ends what evidence_begin() began; NULL: *f says why */
json_t *evidence_end(struct evidence *e, struct failure *f);

#endif
