/* SPDX-License-Identifier: GPL-2.0 */
/* What stands on this machine: built step by step, and undone in reverse. */
#ifndef P2PAGENT_SETUP_H
#define P2PAGENT_SETUP_H

#include <jansson.h>

#include "failure.h"
#include "order.h"
#include "pci.h"
#include "types.h"

#define DEV_NAME_LEN	32
#define MAX_UNDO	16
#define RDMA_DEV	"rxe0"

struct setup;

struct undo {
	const char *step;
	int (*fn)(struct setup *s, struct failure *f);
};

struct pool {
	u64 size;
	u64 available;
};

struct registration {
	u64 ns;
	u64 free_pages_before;
	u64 free_pages_after;
	u64 device_zone_pages;
	u64 granule;			/* of the pool, in bytes */
	u64 page_tables;		/* pages that map this memory alone */
};

struct removal {
	u64 ns;				/* of the peer memory */
	u64 unbind_ns;			/* of all that the device had */
	u64 free_pages_before;
	u64 free_pages_after;
};

struct provider;

struct setup {
	bool complete;			/* setup came to its end */
	json_t *args_json;		/* args' strings live here */
	struct setup_args args;
	const struct provider *provider;
	char host[64];			/* args.addr without the prefix */

	char backing_dev[DEV_NAME_LEN];		/* nvme0n1 */
	char backing_pci[PCI_NAME_LEN];
	char p2p_device[PCI_NAME_LEN];		/* "": host memory */
	char fabric_dev[DEV_NAME_LEN];		/* nvme1n1 */
	char netdev[DEV_NAME_LEN];
	char old_mtu[DEV_NAME_LEN];
	bool was_up;

	struct pool pool;		/* right after registering */
	struct registration registration;
	struct removal removal;		/* ns 0: nothing was removed */

	struct undo undo[MAX_UNDO];
	int undos;
};

/* Remember how to take back the step that was just made. */
void setup_made(struct setup *s, const char *step,
		int (*fn)(struct setup *s, struct failure *f));

int setup_run(struct setup *s, json_t *args_json, const struct setup_args *args,
	      json_t **result, struct failure *f);
int setup_teardown(struct setup *s, json_t **result, struct failure *f);

#endif
