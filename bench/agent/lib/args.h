/* SPDX-License-Identifier: GPL-2.0 */
/* The arguments of an order: checked against a table, in a C struct. */
#ifndef P2PAGENT_ARGS_H
#define P2PAGENT_ARGS_H

#include <jansson.h>

#include "lib/failure.h"
#include "lib/types.h"

#define ORDER_STEP	"order"		/* where a wrong argument is found */

enum arg_type {
	ARG_STRING,		/* const char *, valid as long as the JSON is */
	ARG_UINT,		/* u64 */
	ARG_SECONDS,		/* double > 0 */
	ARG_OBJECT,		/* a struct, described by fields */
};

/* A table of these ends with an empty one. */
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

/* { ARG_FIELD(struct fio_args, name), .type = ARG_STRING, ... } */
#define ARG_FIELD(type, member)	.name = #member, .offset = offsetof(type, member)

/* fills into (zeroed by the caller) from args, an object; -1: *f says why */
int args_decode(const struct arg *table, json_t *args, void *into,
		struct failure *f);

/* "an object", "a string", ...; "nothing" for NULL */
const char *json_type_name(const json_t *v);

#endif
