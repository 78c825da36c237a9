/* SPDX-License-Identifier: GPL-2.0 */
/* Orders: their arguments, checked against a table, in a C struct. */
#ifndef P2PAGENT_ORDER_H
#define P2PAGENT_ORDER_H

#include <jansson.h>

#include "failure.h"
#include "state.h"
#include "types.h"

enum arg_type {
	ARG_STRING,		/* const char *, valid as long as the JSON is */
	ARG_UINT,		/* u64 */
	ARG_SECONDS,		/* double > 0 */
	ARG_OBJECT,		/* a struct, described by fields */
};

struct arg {
	const char *name;
	enum arg_type type;
	size_t offset;
	bool required;
	const char *text;	/* default of a string */
	u64 number;	/* default of a number */
	const char *choices;	/* a string: "one|or|other" */
	u64 min, max;	/* a number; max 0: no limit */
	const struct arg *fields;
};

/* fills into (zeroed by the caller) from args, an object; -1: *f says why */
int args_decode(const struct arg *table, json_t *args, void *into,
		struct failure *f);

struct fio_args {
	const char *name;
	const char *job;
	double deadline_s;
};

struct count_args {
	const char *name;
	const char *device;
	const char *nvme_serial;
	const char *scheduler;	/* of that, or the target's disk; "": as it is */
	const char *rw;
	u64 bs;
	u64 iodepth;		/* I/Os that are submitted at once */
	u64 ios;
	u64 seed;
	u64 sample;		/* 0: nobody looks at the pool meanwhile */
	const char *instrument;
	double deadline_s;
};

struct command_args {
	const char *line;
	double deadline_s;
};

struct pattern_args {
	u64 bytes;
	u64 block;
	u64 seed;
	const char *direction;
	u64 sample;		/* as above */
};

extern const struct arg no_args[], setup_table[], fio_table[], count_table[],
	pattern_table[], command_table[];

int setup_args_check(const struct setup_args *a, struct failure *f);
int count_args_check(const struct count_args *a, struct failure *f);
int pattern_args_check(const struct pattern_args *a, struct failure *f);

struct order {
	json_t *json;		/* owns the rest */
	json_t *id;
	const char *name;
	double scale;
	json_t *args;
};

/* -1: *f says why; o->id is then whatever could be found of it (or NULL) */
int order_parse(const char *line, struct order *o, struct failure *f);
void order_free(struct order *o);

#endif
