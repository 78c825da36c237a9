/* SPDX-License-Identifier: GPL-2.0 */
/* Runs one fio job against the fabric device. */
#ifndef P2PAGENT_FIO_H
#define P2PAGENT_FIO_H

#include <jansson.h>

#include "order.h"
#include "state.h"

int fio_run(const struct state *s, const struct fio_args *args,
	    json_t **result, struct failure *f);

#endif
