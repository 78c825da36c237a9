/* SPDX-License-Identifier: GPL-2.0 */
/* What the machine says about itself. */
#ifndef P2PAGENT_INFO_H
#define P2PAGENT_INFO_H

const char *kernel_release(void);
double uptime_s(void);

#endif
