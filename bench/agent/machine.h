/* SPDX-License-Identifier: GPL-2.0 */
/* What the machine says about itself: versions, memory, kernel log. */
#ifndef P2PAGENT_MACHINE_H
#define P2PAGENT_MACHINE_H

#include <jansson.h>

#include "failure.h"
#include "types.h"

struct zones {
	u64 free_pages;		/* of all zones */
	u64 device_spanned;	/* of the zones "Device" */
	u64 device_present;
	u64 device_managed;
};

int zoneinfo_parse(const char *text, struct zones *z);
int zones_read(struct zones *z, struct failure *f);

/* "6,12,345678,-;text" -> "[    0.345678] <6> text"; -1: no log line */
int kmsg_format(const char *record, char *line, size_t size);

const char *kernel_release(void);
double uptime_s(void);
int machine_info(json_t **result, struct failure *f);
int machine_tools(json_t **result, struct failure *f);
int machine_memory(json_t **result, struct failure *f);
/* The newest line of the kernel log with this word in it; "": none. */
void kernel_said(const char *word, char *line, size_t size);

int machine_kernel_log(json_t **result, struct failure *f);

#endif
