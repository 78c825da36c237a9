// SPDX-License-Identifier: GPL-2.0
/* The orders of the harness, one at a time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel.h"
#include "command.h"
#include "count.h"
#include "deadline.h"
#include "fio.h"
#include "machine.h"
#include "order.h"
#include "orders.h"
#include "pattern.h"
#include "pid1.h"
#include "setup.h"
#include "stop.h"

union any_args {
	struct setup_args setup;
	struct fio_args fio;
	struct count_args count;
	struct pattern_args pattern;
	struct command_args command;
};

struct verb {
	const char *name;
	const struct arg *table;
	int (*run)(const struct order *o, const union any_args *a,
		   json_t **result, struct failure *f);
	bool last;		/* nothing is read after it */
};

static struct state state;

static int run_info(const struct order *o, const union any_args *a,
		    json_t **result, struct failure *f)
{
	(void)o;
	(void)a;
	return machine_info(result, f);
}

static int run_tools(const struct order *o, const union any_args *a,
		     json_t **result, struct failure *f)
{
	(void)o;
	(void)a;
	return machine_tools(result, f);
}

static int run_setup(const struct order *o, const union any_args *a,
		     json_t **result, struct failure *f)
{
	return setup_args_check(&a->setup, f) ||
	       setup_run(&state, o->args, &a->setup, result, f);
}

static int run_fio(const struct order *o, const union any_args *a,
		   json_t **result, struct failure *f)
{
	(void)o;
	return fio_run(&state, &a->fio, result, f);
}

static int run_count(const struct order *o, const union any_args *a,
		     json_t **result, struct failure *f)
{
	(void)o;
	return count_args_check(&a->count, f) ||
	       count_run(&state, &a->count, result, f);
}

static int run_pattern(const struct order *o, const union any_args *a,
		       json_t **result, struct failure *f)
{
	(void)o;
	return pattern_args_check(&a->pattern, f) ||
	       pattern_run(&state, &a->pattern, result, f);
}

/* What no other order does: a line of shell, for a test that needs one. */
static int run_command(const struct order *o, const union any_args *a,
		       json_t **result, struct failure *f)
{
	const char *const argv[] = { "sh", "-c", a->command.line, NULL };
	struct command c = {
		.argv = argv,
		.deadline_s = a->command.deadline_s,
	};
	int ret;

	(void)o;
	expect(f, "command", "\"%s\" to run to its end", a->command.line);
	ret = command_run(&c, f);
	*result = json_pack("{s:i, s:i, s:o, s:o}", "exit", c.exit,
			    "signal", c.signal,
			    "stdout", json_text(c.out.s, c.out.len),
			    "stderr", json_text(c.err.s, c.err.len));
	command_free(&c);
	return ret;
}

static int run_memory(const struct order *o, const union any_args *a,
		      json_t **result, struct failure *f)
{
	(void)o;
	(void)a;
	return machine_memory(result, f);
}

static int run_teardown(const struct order *o, const union any_args *a,
			json_t **result, struct failure *f)
{
	(void)o;
	(void)a;
	return setup_teardown(&state, result, f);
}

static int run_kernel_log(const struct order *o, const union any_args *a,
			  json_t **result, struct failure *f)
{
	(void)o;
	(void)a;
	return machine_kernel_log(result, f);
}

static int run_shell(const struct order *o, const union any_args *a,
		     json_t **result, struct failure *f)
{
	(void)o;
	(void)a;
	(void)result;
	return pid1_shell(f);
}

static int run_poweroff(const struct order *o, const union any_args *a,
			json_t **result, struct failure *f)
{
	(void)o;
	(void)a;
	(void)result;
	(void)f;
	return 0;
}

static const struct verb verbs[] = {
	{ .name = "info", .table = no_args, .run = run_info },
	{ .name = "tools", .table = no_args, .run = run_tools },
	{ .name = "setup", .table = setup_table, .run = run_setup },
	{ .name = "fio", .table = fio_table, .run = run_fio },
	{ .name = "pattern", .table = pattern_table, .run = run_pattern },
	{ .name = "count", .table = count_table, .run = run_count },
	{ .name = "command", .table = command_table, .run = run_command },
	{ .name = "memory", .table = no_args, .run = run_memory },
	{ .name = "teardown", .table = no_args, .run = run_teardown },
	{ .name = "kernel-log", .table = no_args, .run = run_kernel_log },
	{ .name = "shell", .table = no_args, .run = run_shell },
	{ .name = "poweroff", .table = no_args, .run = run_poweroff,
	  .last = true },
	{ }
};

static const struct verb *verb_find(const char *name, struct failure *f)
{
	char known[256] = "";

	for (const struct verb *v = verbs; v->name; v++) {
		if (!strcmp(v->name, name))
			return v;
		snprintf(known + strlen(known), sizeof(known) - strlen(known),
			 "%s%s", v == verbs ? "" : ", ", v->name);
	}
	expect(f, "order", "one of %s", known);
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

/* True: go on with the next order. */
static bool order_serve(const char *line)
{
	const struct verb *verb = NULL;
	union any_args args = { };
	struct failure f = { };
	json_t *result = NULL;
	struct order o;
	int ret;

	ret = order_parse(line, &o, &f);
	if (!ret) {
		verb = verb_find(o.name, &f);
		ret = !verb || args_decode(verb->table, o.args, &args, &f);
	}
	if (!ret) {
		deadline_scale = o.scale;
		progress_of(o.id);
		ret = verb->run(&o, &args, &result, &f);
		progress_of(NULL);
	}
	reply(o.id, ret, result, &f);
	order_free(&o);
	return ret || !verb->last;
}

void orders_serve(void)
{
	bool more = true;
	char *line;

	while (more && (line = channel_read())) {
		if (line[strspn(line, " \t\r")])
			more = order_serve(line);
		free(line);
	}
}

int orders_end(void)
{
	json_t *result = NULL;
	struct failure f;
	int ret;

	stop_ignore();
	ret = setup_teardown(&state, &result, &f);
	if (ret)
		fprintf(stderr, "p2pagent: teardown: %s: expected %s, got %s\n",
			f.step, f.expected, f.got);
	json_decref(result);
	json_decref(state.args_json);
	return ret ? 1 : 0;
}
