/* SPDX-License-Identifier: GPL-2.0 */
/* Whose memory carries the data: the host's, a CMB, or a device's BAR. */
#ifndef P2PAGENT_PROVIDER_H
#define P2PAGENT_PROVIDER_H

#include "setup/state.h"

const struct provider *provider_named(const char *name);
int provider_refuse(struct state *s, struct failure *f);
int provider_setup(struct state *s, struct failure *f);

#endif
