/* SPDX-License-Identifier: GPL-2.0 */
/* The pool of peer memory of a PCI device, as the kernel publishes it. */
#ifndef P2PAGENT_POOL_H
#define P2PAGENT_POOL_H

#include <jansson.h>

#include "lib/failure.h"
#include "lib/types.h"

struct pool {
	u64 size;
	u64 available;
};

int pool_read(const char *pci, struct pool *pool, struct failure *f);
json_t *pool_json(const struct pool *pool);	/* null: no pool */

#endif
