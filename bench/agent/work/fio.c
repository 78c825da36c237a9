// SPDX-License-Identifier: GPL-2.0
/* Runs one fio job against the fabric device. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/channel.h"
#include "lib/command.h"
#include "lib/files.h"
#include "lib/verb.h"
#include "setup/state.h"
#include "work/evidence.h"

struct fio_args {
	const char *name;
	const char *job;
	double deadline_s;
};

static const struct arg fio_args[] = {
	{ ARG_FIELD(struct fio_args, name), .type = ARG_STRING, .required = true },
	{ ARG_FIELD(struct fio_args, job), .type = ARG_STRING, .required = true },
	{ ARG_FIELD(struct fio_args, deadline_s), .type = ARG_SECONDS,
	  .number = 600 },
	{ }
};

/* A directory of its own: fio also writes state files where it runs. */
struct workdir {
	char dir[32];
	char job[64];
	char output[64];
};

static int workdir_init(struct workdir *w, const char *job, struct failure *f)
{
	size_t len = strlen(job);
	int fd, ret;

	*w = (struct workdir) { .dir = "/tmp/p2pagent-XXXXXX" };
	expect(f, "fio", "a job file in /tmp");
	if (!mkdtemp(w->dir))
		return got(f, "%s", strerror(errno));
	snprintf(w->job, sizeof(w->job), "%s/job.fio", w->dir);
	snprintf(w->output, sizeof(w->output), "%s/output.json", w->dir);
	fd = open(w->job, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ret = fd < 0 || write(fd, job, len) != (ssize_t)len ? errno : 0;
	if (fd >= 0)
		close(fd);
	return ret ? got(f, "%s", strerror(ret)) : 0;
}

static void workdir_deinit(struct workdir *w)
{
	char path[PATH_MAX];
	glob_t g;

	if (!glob(path_in(path, w->dir, "*"), 0, NULL, &g)) {
		for (size_t i = 0; i < g.gl_pathc; i++)
			unlink(g.gl_pathv[i]);
		globfree(&g);
	}
	rmdir(w->dir);
}

static json_t *fio_json(const struct command *c, const struct workdir *w,
			json_t *evidence)
{
	size_t len = 0;
	char *output = read_all(w->output, &len);
	json_t *json;

	json = json_pack("{s:i, s:i, s:o, s:o, s:I, s:o}", "exit", c->exit,
			 "signal", c->signal,
			 "stdout", json_text(output, len),
			 "stderr", json_text(c->err.s, c->err.len),
			 "duration_ns", (json_int_t)c->duration_ns,
			 "evidence", evidence ? evidence : json_null());
	free(output);
	return json;
}

static int fio_measure(const struct evidence_sources *from, const char *name,
		       struct command *c, const struct workdir *w,
		       json_t **result, struct failure *f)
{
	struct failure end_f;
	struct evidence e;
	json_t *evidence;
	int ret, end;

	if (evidence_begin(&e, from, f))
		return -1;
	expect(f, "fio", "fio to run \"%s\" to its end", name);
	ret = command_run(c, f);
	end = evidence_end(&e, &evidence, &end_f);
	*result = fio_json(c, w, evidence);
	return failure_first(ret, f, end, &end_f);
}

static int fio_run(struct call *call, struct failure *f)
{
	const struct fio_args *args = call->args;
	const struct state *s = call->state;
	struct evidence_sources from = evidence_sources(s, SAMPLE_MEASURED_NS);
	struct workdir w;
	char output[80], dev[PATH_MAX];
	const char *const argv[] = { "fio", "--output-format=json", output,
		w.job, NULL };
	struct command c = {
		.argv = argv,
		.env = dev,
		.dir = w.dir,
		.deadline_s = args->deadline_s,
	};
	int ret;

	progress(args->name);
	if (state_initiator(s, "fio", f))
		return -1;
	ret = workdir_init(&w, args->job, f);
	snprintf(output, sizeof(output), "--output=%s", w.output);
	snprintf(dev, sizeof(dev), "DEV=%s/%s", roots.devfs, s->fabric_dev);
	if (!ret)
		ret = fio_measure(&from, args->name, &c, &w, &call->result, f);
	command_free(&c);
	workdir_deinit(&w);
	return ret;
}

const struct verb fio_verb = {
	.name = "fio",
	.args = fio_args,
	.args_size = sizeof(struct fio_args),
	.run = fio_run,
};
