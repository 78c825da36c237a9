/* SPDX-License-Identifier: GPL-2.0 */
/* nvmet, through configfs. */
#ifndef P2PAGENT_TARGET_H
#define P2PAGENT_TARGET_H

#include "setup.h"

int target_refuse(struct setup *s, struct failure *f);
int target_setup(struct setup *s, struct failure *f);

/* Path of an attribute of our namespace. */
char *target_ns_path(char *path, const struct setup *s, const char *attr);

#endif
