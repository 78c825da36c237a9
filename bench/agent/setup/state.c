// SPDX-License-Identifier: GPL-2.0
/* What stands on this machine, and how each part of it is taken back. */
#include <assert.h>

#include "lib/channel.h"
#include "setup/state.h"

void undo_push(struct state *s, const char *step,
	       int (*fn)(struct state *s, struct failure *f))
{
	assert(s->undos < MAX_UNDO);
	s->undo[s->undos++] = (struct undo) { .step = step, .fn = fn };
}

int undo_all(struct state *s, struct failure *first)
{
	struct undo failed[MAX_UNDO];
	int nr_failed = 0;

	while (s->undos) {
		struct undo undo = s->undo[--s->undos];
		struct failure f = { };

		progress(undo.step);
		expect(&f, undo.step, "to undo it");
		if (!undo.fn(s, &f))
			continue;
		if (!nr_failed)
			*first = f;
		failed[nr_failed++] = undo;
	}
	while (nr_failed)
		s->undo[s->undos++] = failed[--nr_failed];
	return s->undos ? -1 : 0;
}
