/* SPDX-License-Identifier: GPL-2.0 */
/* Runs a program, with a deadline, and keeps what it printed. */
#ifndef P2PAGENT_COMMAND_H
#define P2PAGENT_COMMAND_H

#include "lib/failure.h"
#include "lib/types.h"

struct text {
	char *s;		/* NUL-terminated once anything came */
	size_t len;
};

struct command {
	/* in */
	const char *const *argv;
	const char *env;	/* one more "NAME=value", or NULL */
	const char *dir;	/* to run in, or NULL */
	double deadline_s;
	/* out */
	int exit;		/* -1: killed by a signal */
	int signal;
	s64 duration_ns;
	struct text out;
	struct text err;
};

/* 0: it ran to its end, however that was. -1: no start, or no end in time. */
int command_run(struct command *c, struct failure *f);
void command_free(struct command *c);

/* Must run and exit 0: step is the name for the failure. */
int command_do(const char *step, const char *const *argv, double deadline_s,
	       struct failure *f);
/* The same, and the output (to be freed) comes back. */
char *command_output(const char *step, const char *const *argv,
		     double deadline_s, struct failure *f);

#endif
