// SPDX-License-Identifier: GPL-2.0
/* Serves the orders of the harness, one at a time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/channel.h"
#include "lib/deadline.h"
#include "lib/order.h"
#include "lib/stop.h"
#include "lib/verb.h"
#include "serve.h"
#include "setup/state.h"

static const struct verb *const verbs[] = {
	&info_verb,
	&tools_verb,
	&setup_verb,
	&fio_verb,
	&pattern_verb,
	&count_verb,
	&evidence_begin_verb,
	&evidence_end_verb,
	&command_verb,
	&memory_verb,
	&teardown_verb,
	&kernel_log_verb,
	&shell_verb,
	&poweroff_verb,
};

static struct state state;

static const struct verb *verb_find(const char *name, struct failure *f)
{
	char known[256] = "";

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (!strcmp(verbs[i]->name, name))
			return verbs[i];
		snprintf(known + strlen(known), sizeof(known) - strlen(known),
			 "%s%s", i ? ", " : "", verbs[i]->name);
	}
	expect(f, ORDER_STEP, "one of %s", known);
	got(f, "\"%s\"", name);
	return NULL;
}

static json_t *failure_json(const struct failure *f)
{
	return json_pack("{s:o, s:o, s:o}",
			 "step", json_text(f->step, strlen(f->step)),
			 "expected", json_text(f->expected, strlen(f->expected)),
			 "got", json_text(f->got, strlen(f->got)));
}

static void reply(json_t *id, int ret, json_t *result, const struct failure *f)
{
	json_t *reply = json_pack("{s:o, s:b}", "id",
				  id ? json_incref(id) : json_null(),
				  "ok", !ret);

	if (ret)
		json_object_set_new(reply, "error", failure_json(f));
	else if (!result)
		result = json_object();
	if (result)
		json_object_set_new(reply, "result", result);
	channel_send(reply);
}

static int verb_run(const struct verb *verb, struct call *call, void *args,
		    struct failure *f)
{
	expect(f, ORDER_STEP, "memory for the arguments of \"%s\"", verb->name);
	if (!args)
		return got(f, "none");
	if (args_decode(verb->args, call->json, args, f))
		return -1;
	call->args = args;
	if (verb->check && verb->check(args, f))
		return -1;
	return verb->run ? verb->run(call, f) : 0;
}

static int order_run(const struct order *o, const struct verb *verb,
		     json_t **result, struct failure *f)
{
	struct call call = { .state = &state, .json = o->args };
	void *args = calloc(1, verb->args_size + 1);
	int ret;

	deadline_scale = o->scale;
	progress_of(o->id);
	ret = verb_run(verb, &call, args, f);
	progress_of(NULL);
	free(args);
	*result = call.result;
	return ret;
}

/* True: go on with the next order. */
static bool order_serve(const char *line)
{
	const struct verb *verb = NULL;
	json_t *result = NULL;
	struct failure f = { };
	struct order o;
	int ret = -1;

	if (!order_parse(line, &o, &f))
		verb = verb_find(o.name, &f);
	if (verb)
		ret = order_run(&o, verb, &result, &f);
	reply(o.id, ret, result, &f);
	order_free(&o);
	return ret || !verb->last;
}

void serve(void)
{
	bool more = true;
	char *line;

	while (more && (line = channel_read())) {
		if (line[strspn(line, " \t\r")])
			more = order_serve(line);
		free(line);
	}
}

int serve_end(void)
{
	struct failure f;
	int ret;

	stop_ignore();
	ret = undo_all(&state, &f);
	if (ret)
		fprintf(stderr, "p2pagent: teardown: %s: expected %s, got %s\n",
			f.step, f.expected, f.got);
	json_decref(state.args_json);
	return ret ? 1 : 0;
}
