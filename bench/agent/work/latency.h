/* SPDX-License-Identifier: GPL-2.0 */
/* The latencies of a number of I/Os, and their percentiles. */
#ifndef P2PAGENT_LATENCY_H
#define P2PAGENT_LATENCY_H

#include <jansson.h>

#include "lib/failure.h"
#include "lib/types.h"

/* Room for one latency an I/O, all of it in memory already; NULL: *f says why */
s64 *latency_alloc(u64 ios, struct failure *f);

/*
 * {"p50", "p99", "p999", "max"} of the values in ns, at least one, which it
 * sorts. By nearest rank: the smallest value that so many are at or below. A
 * tail that would be the maximum for want of values is null.
 */
json_t *latency_json(s64 *ns, u64 ios);

#endif
