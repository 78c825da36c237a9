/* SPDX-License-Identifier: GPL-2.0 */
/* The initiator: connects to the target, and finds the block device. */
#ifndef P2PAGENT_CONNECT_H
#define P2PAGENT_CONNECT_H

#include "setup/state.h"

int connect_refuse(struct state *s, struct failure *f);
int connect_setup(struct state *s, struct failure *f);

#endif
