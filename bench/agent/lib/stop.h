/* SPDX-License-Identifier: GPL-2.0 */
/* SIGTERM, SIGINT and SIGHUP: seen at every wait, never in the middle of a step. */
#ifndef P2PAGENT_STOP_H
#define P2PAGENT_STOP_H

#include "lib/types.h"

void stop_init(void);
int stop_fd(void);
bool stop_seen(void);
void stop_ignore(void);		/* from here on: the last teardown */
void stop_unblock_in_child(void);

#endif
