// SPDX-License-Identifier: GPL-2.0
/* What no other order does: a line of shell, for a test that needs one. */
#include "lib/channel.h"
#include "lib/command.h"
#include "lib/verb.h"

struct command_args {
	const char *line;
	double deadline_s;
};

static const struct arg command_args[] = {
	{ ARG_FIELD(struct command_args, line), .type = ARG_STRING,
	  .required = true },
	{ ARG_FIELD(struct command_args, deadline_s), .type = ARG_SECONDS,
	  .number = 60 },
	{ }
};

static int command_run_line(struct call *call, struct failure *f)
{
	const struct command_args *a = call->args;
	const char *const argv[] = { "sh", "-c", a->line, NULL };
	struct command c = {
		.argv = argv,
		.deadline_s = a->deadline_s,
	};
	int ret;

	expect(f, "command", "\"%s\" to run to its end", a->line);
	ret = command_run(&c, f);
	call->result = json_pack("{s:i, s:i, s:o, s:o}", "exit", c.exit,
				 "signal", c.signal,
				 "stdout", json_text(c.out.s, c.out.len),
				 "stderr", json_text(c.err.s, c.err.len));
	command_free(&c);
	return ret;
}

const struct verb command_verb = {
	.name = "command",
	.args = command_args,
	.args_size = sizeof(struct command_args),
	.run = command_run_line,
};
