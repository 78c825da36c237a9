/* SPDX-License-Identifier: GPL-2.0 */
/* The orders of the harness, one at a time. */
#ifndef P2PAGENT_ORDERS_H
#define P2PAGENT_ORDERS_H

void orders_serve(void);	/* until EOF, a signal, or "poweroff" */
int orders_end(void);		/* takes back what stands; exit status */

#endif
