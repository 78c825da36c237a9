/* SPDX-License-Identifier: GPL-2.0 */
/* The one error type: the step, what was expected there, and what came. */
#ifndef P2PAGENT_FAILURE_H
#define P2PAGENT_FAILURE_H

#include "types.h"

struct failure {
	char step[64];
	char expected[512];
	char got[2048];
};

/* Say what the next step should bring; then, if it does not, return got(). */
void expect(struct failure *f, const char *step, const char *fmt, ...)
	__printf(3, 4);
int got(struct failure *f, const char *fmt, ...)
	__printf(2, 3);

#endif
