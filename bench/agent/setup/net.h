/* SPDX-License-Identifier: GPL-2.0 */
/* The network interface that an rxe device is put on, and its address. */
#ifndef P2PAGENT_NET_H
#define P2PAGENT_NET_H

#include "setup/state.h"

int net_refuse(struct state *s, struct failure *f);
int net_setup(struct state *s, struct failure *f);

#endif
