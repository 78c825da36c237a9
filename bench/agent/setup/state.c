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

void undo_pop(struct state *s,
	      int (*fn)(struct state *s, struct failure *f))
{
	assert(s->undos && s->undo[s->undos - 1].fn == fn);
	s->undos--;
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

int state_complete(const struct state *s, const char *step, struct failure *f)
{
	expect(f, step, "a machine that is set up");
	return s->complete ? 0 : got(f, "none: order \"setup\" first");
}

int state_target(const struct state *s, const char *step, struct failure *f)
{
	if (state_complete(s, step, f))
		return -1;
	expect(f, step, "a machine that is set up as target");
	return s->is_target ? 0 : got(f, "role \"%s\"", s->args.role);
}

int state_initiator(const struct state *s, const char *step, struct failure *f)
{
	if (state_complete(s, step, f))
		return -1;
	expect(f, step, "a machine that is set up as initiator");
	return s->is_initiator ? 0 : got(f, "role \"%s\"", s->args.role);
}
