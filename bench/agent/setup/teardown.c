// SPDX-License-Identifier: GPL-2.0
/* Takes back what a setup made. */
#include "lib/verb.h"
#include "setup/state.h"

static json_t *removal_json(const struct removal *r)
{
	if (!r->ns)
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:I}", "ns", (json_int_t)r->ns,
			 "unbind_ns", (json_int_t)r->unbind_ns,
			 "free_pages_before", (json_int_t)r->free_pages_before,
			 "free_pages_after", (json_int_t)r->free_pages_after);
}

static int teardown_run(struct call *call, struct failure *f)
{
	struct state *s = call->state;
	int ret;

	s->complete = false;
	ret = undo_all(s, f);
	call->result = json_pack("{s:o, s:o, s:o}",
				 "pool", pool_json(&s->pool),
				 "remove_ns", s->removal.ns ?
				 json_integer(s->removal.ns) : json_null(),
				 "remove", removal_json(&s->removal));
	return ret;
}

const struct verb teardown_verb = {
	.name = "teardown",
	.run = teardown_run,
};
