/* SPDX-License-Identifier: GPL-2.0 */
/* The log of the kernel. */
#ifndef P2PAGENT_KERNEL_LOG_H
#define P2PAGENT_KERNEL_LOG_H

#include "lib/types.h"

/* "6,12,345678,-;text" -> "[    0.345678] <6> text"; -EINVAL: no log line */
int kmsg_format(const char *record, char *line, size_t size);

/* The newest line with this word in it; "": none. */
void kernel_log_last(const char *word, char *line, size_t size);

#endif
