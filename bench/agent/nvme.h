/* SPDX-License-Identifier: GPL-2.0 */
/* NVMe disks: the target's own, and the one of a subsystem. */
#ifndef P2PAGENT_NVME_H
#define P2PAGENT_NVME_H

#include "state.h"

/* Finds the target's own device, by its controller's serial. */
int nvme_find_backing(struct state *s, struct failure *f);

/* The first disk of a subsystem that has a size and a device node. */
bool nvme_disk_of(const char *nqn, char disk[DEV_NAME_LEN]);

#endif
