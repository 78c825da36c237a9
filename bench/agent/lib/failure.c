// SPDX-License-Identifier: GPL-2.0
/* The one error type: the step, what was expected there, and what came. */
#include <stdarg.h>
#include <stdio.h>

#include "lib/failure.h"

void expect(struct failure *f, const char *step, const char *fmt, ...)
{
	va_list ap;

	snprintf(f->step, sizeof(f->step), "%s", step);
	f->got[0] = '\0';
	va_start(ap, fmt);
	vsnprintf(f->expected, sizeof(f->expected), fmt, ap);
	va_end(ap);
}

int got(struct failure *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->got, sizeof(f->got), fmt, ap);
	va_end(ap);
	return -1;
}

int failure_first(int first, struct failure *f, int later,
		  const struct failure *later_f)
{
	if (!first && later)
		*f = *later_f;
	return first || later ? -1 : 0;
}
