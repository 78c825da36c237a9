/* SPDX-License-Identifier: GPL-2.0 */
/* Disks and their I/O schedulers: the target's, and those of ordinary I/O. */
#ifndef P2PAGENT_DISK_H
#define P2PAGENT_DISK_H

#include "lib/failure.h"
#include "lib/files.h"

/* The name of a disk for ordinary I/O; device: "nvme" (with a serial) or "null_blk" */
int disk_find(const char *device, const char *nvme_serial,
	      char disk[DEV_NAME_LEN], struct failure *f);

/* Leaves the scheduler that it replaces in old. */
int disk_scheduler(const char *disk, const char *name, char old[DEV_NAME_LEN],
		   struct failure *f);

#endif
