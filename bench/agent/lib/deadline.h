/* SPDX-License-Identifier: GPL-2.0 */
/* Deadlines, and waiting for a named condition until one passes. */
#ifndef P2PAGENT_DEADLINE_H
#define P2PAGENT_DEADLINE_H

#include "lib/failure.h"
#include "lib/types.h"

struct deadline {
	s64 end_ns;
	double seconds;		/* scaled */
};

extern double deadline_scale;	/* the order's "scale": multiplies every deadline */

s64 now_ns(void);
struct deadline deadline_at(s64 start_ns, double seconds);
struct deadline deadline_in(double seconds);
s64 deadline_left_ns(const struct deadline *d, s64 now);
int deadline_poll_ms(const struct deadline *d, s64 now, int at_most_ms);

/* expect() names the condition; a deadline that passes is got() and -1. */
int wait_until(bool (*holds)(void *arg), void *arg, double seconds,
	       struct failure *f);

#endif
