/* SPDX-License-Identifier: GPL-2.0 */
/* Disks and their I/O schedulers: the target's, and those of ordinary I/O. */
#ifndef P2PAGENT_DISK_H
#define P2PAGENT_DISK_H

#include "order.h"
#include "state.h"

/* Ordinary I/O: an args.device other than "fabric". Its name in disk. */
int disk_find(const struct count_args *args, char disk[DEV_NAME_LEN],
	      struct failure *f);

/* Leaves the scheduler that it replaces in old. */
int disk_scheduler(const char *disk, const char *name, char old[DEV_NAME_LEN],
		   struct failure *f);

#endif
