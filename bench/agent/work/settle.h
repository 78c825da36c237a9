/* SPDX-License-Identifier: GPL-2.0 */
#ifndef P2PAGENT_SETTLE_H
#define P2PAGENT_SETTLE_H

/*
 * Let the kernel do now what is left over from before and has nothing to do
 * with what is measured next: it would do it in the middle of that. What the
 * kernel refuses is left out.
 */
void settle(void);

#endif
