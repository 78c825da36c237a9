/* SPDX-License-Identifier: GPL-2.0 */
/* What stands on this machine, and how each part of it is taken back. */
#ifndef P2PAGENT_STATE_H
#define P2PAGENT_STATE_H

#include <jansson.h>

#include "lib/failure.h"
#include "lib/types.h"
#include "setup/nvme.h"
#include "setup/pci.h"
#include "setup/pool.h"

#define MAX_UNDO	16

struct bar_args {
	const char *pci;	/* NULL: no "bar" given */
	u64 bar;
	u64 offset;
	u64 size;
};

struct setup_args {
	const char *role;
	const char *provider;	/* NULL: an initiator */
	const char *until;	/* "provider": nothing is made to use it */
	const char *nvme_serial;
	struct bar_args bar;
	const char *module;
	const char *netdev;	/* rxe is put on it; "": rdma_dev is there */
	const char *rdma_dev;
	u64 mtu;
	const char *addr;	/* of this machine */
	const char *traddr;	/* of the target, for an initiator */
	u64 svc;
	const char *nqn;
	u64 inline_data_size;
	u64 nr_io_queues;
};

struct state;

struct undo {
	const char *step;
	int (*fn)(struct state *s, struct failure *f);
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

struct state {
	bool complete;			/* setup came to its end */
	json_t *args_json;		/* args' strings live here */
	struct setup_args args;
	bool is_target;			/* a machine may be both */
	bool is_initiator;
	const struct provider *provider;	/* of a target */
	char host[64];			/* args.addr without the prefix */

	struct nvme_disk backing;		/* a target's own */
	char p2p_device[PCI_NAME_LEN];		/* "": host memory */
	char fabric_dev[DEV_NAME_LEN];		/* an initiator's: nvme1n1 */
	char old_mtu[16];		/* of netdev */
	bool was_up;

	struct pool pool;		/* right after registering */
	struct registration registration;
	struct removal removal;		/* ns 0: nothing was removed */

	struct undo undo[MAX_UNDO];
	int undos;
};

/* Remember how to take back the step that was just done. */
void undo_push(struct state *s, const char *step,
	       int (*fn)(struct state *s, struct failure *f));
/* The latest step is taken back already, not by its fn. */
void undo_pop(struct state *s,
	      int (*fn)(struct state *s, struct failure *f));
/*
 * Takes back what stands, the latest first. A step that fails does not keep the
 * others from being taken back, but stays on the list for the next time; *f says
 * why the first of them failed.
 */
int undo_all(struct state *s, struct failure *f);

/* Is the machine set up, and as what a step of an order needs? -1: *f says why */
int state_complete(const struct state *s, const char *step, struct failure *f);
int state_target(const struct state *s, const char *step, struct failure *f);
int state_initiator(const struct state *s, const char *step, struct failure *f);

#endif
