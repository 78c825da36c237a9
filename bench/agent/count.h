/* SPDX-License-Identifier: GPL-2.0 */
/* Counts instructions, and takes times, while a fixed number of I/Os run. */
#ifndef P2PAGENT_COUNT_H
#define P2PAGENT_COUNT_H

#include <jansson.h>

#include "order.h"
#include "state.h"

/*
 * The answer: "ios" and "bytes" of the args, "duration_ns" of the I/Os in all,
 * "latency_ns" as of latency_json(), "instructions" or null, "evidence". Times
 * are by this machine's clock; what ran to warm up is in none of the figures.
 */
int count_run(const struct state *s, const struct count_args *args,
	      json_t **result, struct failure *f);

#endif
