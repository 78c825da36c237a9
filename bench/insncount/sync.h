/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SYNC_H
#define SYNC_H

/* Wait until every other thread of QEMU sleeps. */
void wait_for_other_threads(void);

#endif
