/* SPDX-License-Identifier: GPL-2.0 */
/* The machine's memory: its zones, and what the kernel says is left. */
#ifndef P2PAGENT_MEMORY_H
#define P2PAGENT_MEMORY_H

#include "lib/failure.h"
#include "lib/types.h"

struct zones {
	u64 free_pages;		/* of all zones */
	u64 device_spanned;	/* of the zones "Device" */
	u64 device_present;
	u64 device_managed;
};

int zoneinfo_parse(const char *text, struct zones *z);
int zones_read(struct zones *z, struct failure *f);

/* A number of /proc/meminfo; 0: there is none of that name. */
u64 meminfo_kb(const char *name);

#endif
