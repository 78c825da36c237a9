/* SPDX-License-Identifier: GPL-2.0 */
/* What only the first process of a guest has to do. */
#ifndef P2PAGENT_PID1_H
#define P2PAGENT_PID1_H

#include <stdnoreturn.h>

#include "lib/types.h"

bool is_pid1(void);
void pid1_mounts(void);
void pid1_lo_up(void);
int pid1_channel(void);		/* the port, once the harness is at its other end */
noreturn void pid1_poweroff(void);

#endif
