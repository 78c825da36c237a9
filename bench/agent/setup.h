/* SPDX-License-Identifier: GPL-2.0 */
/* The steps from a bare machine to a fabric disk, and back. */
#ifndef P2PAGENT_SETUP_H
#define P2PAGENT_SETUP_H

#include <jansson.h>

#include "state.h"

int setup_run(struct state *s, json_t *args_json, const struct setup_args *args,
	      json_t **result, struct failure *f);
int setup_teardown(struct state *s, json_t **result, struct failure *f);

#endif
