// SPDX-License-Identifier: GPL-2.0
/* The latencies of a number of I/Os, and their percentiles. */
#include <stdlib.h>
#include <string.h>

#include "work/latency.h"

s64 *latency_alloc(u64 ios, struct failure *f)
{
	s64 *ns = malloc(ios * sizeof(*ns));

	expect(f, "latency", "memory for the latencies of %llu I/Os", ios);
	if (!ns) {
		got(f, "none");
		return NULL;
	}
	/* The first touch of a page must not fall to an I/O. */
	return memset(ns, 0xff, ios * sizeof(*ns));
}

static int compare(const void *left, const void *right)
{
	s64 a = *(const s64 *)left, b = *(const s64 *)right;

	return (a > b) - (a < b);
}

/* From 1 on; in integers, as 0.99 is no binary fraction. */
static u64 nearest_rank(u64 ios, u64 per_mille)
{
	return (ios * per_mille + 999) / 1000;
}

static json_t *tail_json(const s64 *sorted, u64 ios, u64 per_mille)
{
	u64 rank = nearest_rank(ios, per_mille);

	return rank < ios ? json_integer(sorted[rank - 1]) : json_null();
}

json_t *latency_json(s64 *ns, u64 ios)
{
	qsort(ns, ios, sizeof(*ns), compare);
	return json_pack("{s:I, s:o, s:o, s:I}",
			 "p50", (json_int_t)ns[nearest_rank(ios, 500) - 1],
			 "p99", tail_json(ns, ios, 990),
			 "p999", tail_json(ns, ios, 999),
			 "max", (json_int_t)ns[ios - 1]);
}
