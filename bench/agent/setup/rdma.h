/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The RDMA device that carries the fabric. With args.netdev it is an rxe device,
 * made on that interface and taken away again; without, one that is there already
 * and stays as it is, with its interface.
 */
#ifndef P2PAGENT_RDMA_H
#define P2PAGENT_RDMA_H

#include "setup/state.h"

int rdma_refuse(struct state *s, struct failure *f);
int rdma_setup(struct state *s, struct failure *f);

#endif
