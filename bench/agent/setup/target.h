/* SPDX-License-Identifier: GPL-2.0 */
/* nvmet, through configfs. */
#ifndef P2PAGENT_TARGET_H
#define P2PAGENT_TARGET_H

#include "setup/state.h"

int target_refuse(struct state *s, struct failure *f);
int target_setup(struct state *s, struct failure *f);

/* Path of an attribute of the namespace of a subsystem of ours. */
char *target_ns_path(char *path, const char *nqn, const char *attr);

#endif
