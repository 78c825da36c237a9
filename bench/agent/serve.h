/* SPDX-License-Identifier: GPL-2.0 */
/* Serves the orders of the harness, one at a time. */
#ifndef P2PAGENT_SERVE_H
#define P2PAGENT_SERVE_H

void serve(void);	/* until EOF, a signal, or "poweroff" */
int serve_end(void);	/* takes back what stands; exit status */

#endif
