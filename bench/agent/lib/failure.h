/* SPDX-License-Identifier: GPL-2.0 */
/* The one error type: the step, what was expected there, and what came. */
#ifndef P2PAGENT_FAILURE_H
#define P2PAGENT_FAILURE_H

#include "lib/types.h"

struct failure {
	char step[64];
	char expected[512];
	char got[2048];
};

/*
 * Say what the next step should bring; then, if it does not, return got():
 *
 *	expect(f, "link up", "carrier on %s", netdev);
 *	if (!has_carrier(netdev))
 *		return got(f, "none");
 */
void expect(struct failure *f, const char *step, const char *fmt, ...)
	__printf(3, 4);
int got(struct failure *f, const char *fmt, ...)
	__printf(2, 3);

/*
 * Two steps, of which the later ran although the first had perhaps failed: -1 if
 * one of them did, and in *f, the first one's, why; its failure counts.
 */
int failure_first(int first, struct failure *f, int later,
		  const struct failure *later_f);

#endif
