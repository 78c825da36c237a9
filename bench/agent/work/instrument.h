/* SPDX-License-Identifier: GPL-2.0 */
/* What counts the kernel's instructions: marks for a plugin of QEMU, or the CPU. */
#ifndef P2PAGENT_INSTRUMENT_H
#define P2PAGENT_INSTRUMENT_H

#include "lib/failure.h"
#include "lib/types.h"

#define INSTRUMENT_MAX_CPUS	64

struct instrument {
	bool marks;
	int fds[INSTRUMENT_MAX_CPUS];
	int nr_fds;
	s64 count;		/* by the CPUs, once read; -1: none was asked */
};

/* What a read of a counter returns, in the order of the kernel */
struct perf_reading {
	u64 value;
	u64 enabled_ns;
	u64 running_ns;
};

bool perf_reading_exact(const struct perf_reading *r);

/* name: "marks" (bench/insncount looks for them), "perf" or "none" */
int instrument_open(struct instrument *i, const char *name, struct failure *f);
void instrument_begin(struct instrument *i);
void instrument_end(struct instrument *i);
/* Fails if a counter did not run all the time: its figure would be a guess. */
int instrument_read(struct instrument *i, struct failure *f);
void instrument_close(struct instrument *i);

#endif
