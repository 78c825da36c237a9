/* SPDX-License-Identifier: GPL-2.0 */
/* One order of the harness: a line of JSON. */
#ifndef P2PAGENT_ORDER_H
#define P2PAGENT_ORDER_H

#include <jansson.h>

#include "lib/failure.h"

struct order {
	json_t *json;		/* owns the rest */
	json_t *id;
	const char *name;
	double scale;		/* of all deadlines */
	json_t *args;
};

/* -1: *f says why; o->id is then whatever could be found of it (or NULL) */
int order_parse(const char *line, struct order *o, struct failure *f);
void order_free(struct order *o);

#endif
