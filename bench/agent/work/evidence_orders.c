// SPDX-License-Identifier: GPL-2.0
/*
 * Evidence from one order to another: of the target's half of the path, while the
 * I/O is another machine's. The harness puts the halves together.
 */
#include "lib/verb.h"
#include "setup/state.h"
#include "work/evidence.h"

#define BEGIN	"evidence-begin"
#define END	"evidence-end"

struct evidence_args {
	u64 sample;		/* 0: nobody looks at the pool meanwhile */
	u64 period_ns;		/* between two samples */
};

static const struct arg evidence_args[] = {
	{ ARG_FIELD(struct evidence_args, sample), .type = ARG_UINT,
	  .number = 1, .max = 1 },
	{ ARG_FIELD(struct evidence_args, period_ns), .type = ARG_UINT,
	  .number = SAMPLE_MEASURED_NS, .max = 999999999 },
	{ }
};

static struct evidence running;
static bool is_running;

/* A teardown takes away what is read: it ends the evidence first. */
static int evidence_undo(struct state *s, struct failure *f)
{
	struct failure unread;
	json_t *json;

	(void)s;
	(void)f;
	evidence_end(&running, &json, &unread);
	json_decref(json);
	is_running = false;
	return 0;
}

static int begin_run(struct call *call, struct failure *f)
{
	const struct evidence_args *a = call->args;
	struct state *s = call->state;
	struct evidence_sources from =
		evidence_sources(s, a->sample ? (long)a->period_ns : SAMPLE_NONE);

	if (state_complete(s, BEGIN, f))
		return -1;
	expect(f, BEGIN, "no evidence that is not ended");
	if (is_running)
		return got(f, "one: order \"" END "\" first");
	if (evidence_begin(&running, &from, f))
		return -1;
	is_running = true;
	undo_push(s, END, evidence_undo);
	return 0;
}

static int end_run(struct call *call, struct failure *f)
{
	expect(f, END, "evidence that was begun");
	if (!is_running)
		return got(f, "none: order \"" BEGIN "\" first");
	undo_pop(call->state, evidence_undo);
	is_running = false;
	return evidence_end(&running, &call->result, f);
}

const struct verb evidence_begin_verb = {
	.name = BEGIN,
	.args = evidence_args,
	.args_size = sizeof(struct evidence_args),
	.run = begin_run,
};

const struct verb evidence_end_verb = {
	.name = END,
	.run = end_run,
};
