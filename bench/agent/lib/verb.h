/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the agent can be ordered to do. A new verb is a file with a struct verb,
 * its name below, and a line in the list of serve.c.
 */
#ifndef P2PAGENT_VERB_H
#define P2PAGENT_VERB_H

#include <jansson.h>

#include "lib/args.h"
#include "lib/failure.h"
#include "lib/types.h"

struct state;

/* An order on its way through a verb. */
struct call {
	struct state *state;	/* of this machine */
	json_t *json;		/* the arguments as they came, with their strings */
	const void *args;	/* the same, decoded: a struct of the verb's own */
	json_t *result;		/* out: an object; NULL: an empty one */
};

struct verb {
	const char *name;
	const struct arg *args;	/* NULL: none */
	size_t args_size;	/* of the struct that they are decoded into */
	/* What no table can say of the arguments; NULL: nothing */
	int (*check)(const void *args, struct failure *f);
	/* -1: *f says why, and call->result what there is nevertheless */
	int (*run)(struct call *call, struct failure *f);
	bool last;		/* nothing is read after it */
};

extern const struct verb command_verb, count_verb, evidence_begin_verb,
	evidence_end_verb, fio_verb, info_verb, kernel_log_verb, memory_verb,
	pattern_verb, poweroff_verb, setup_verb, shell_verb, teardown_verb,
	tools_verb;

#endif
