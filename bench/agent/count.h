/* SPDX-License-Identifier: GPL-2.0 */
/* Counts instructions while a fixed number of I/Os run. */
#ifndef P2PAGENT_COUNT_H
#define P2PAGENT_COUNT_H

#include <jansson.h>

#include "order.h"
#include "setup.h"

int count_run(const struct setup *s, const struct count_args *args,
	      json_t **result, struct failure *f);

#endif
