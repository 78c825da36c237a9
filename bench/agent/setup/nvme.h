/* SPDX-License-Identifier: GPL-2.0 */
/* NVMe disks: the target's own, and the one of a subsystem. */
#ifndef P2PAGENT_NVME_H
#define P2PAGENT_NVME_H

#include "lib/failure.h"
#include "lib/files.h"
#include "lib/types.h"
#include "setup/pci.h"

struct nvme_disk {
	char name[DEV_NAME_LEN];	/* nvme0n1 */
	char pci[PCI_NAME_LEN];
};

/*
 * Finds the disk of the PCI controller with this serial ("": of the only one). A
 * disk that somebody uses is a failure.
 */
int nvme_find_unused(const char *serial, struct nvme_disk *disk,
		     struct failure *f);

/* The first disk of a subsystem that has a size and a device node. */
bool nvme_disk_of(const char *nqn, char disk[DEV_NAME_LEN]);

#endif
