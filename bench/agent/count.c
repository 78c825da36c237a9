// SPDX-License-Identifier: GPL-2.0
/* Counts instructions while a fixed number of I/Os run. */
#include <string.h>

#include "channel.h"
#include "count.h"
#include "disk.h"
#include "evidence.h"
#include "files.h"
#include "instrument.h"
#include "io.h"

/* Before the count: caches of the kernel fill, pages get their first touch. */
#define WARM_UP		64

static bool is_ordinary(const struct count_args *args)
{
	return strcmp(args->device, "fabric");
}

static json_t *count_json(const struct count_args *args, s64 duration_ns,
			  s64 instructions, json_t *evidence)
{
	return json_pack("{s:I, s:I, s:I, s:o, s:o}",
			 "ios", (json_int_t)args->ios,
			 "bytes", (json_int_t)(args->ios * args->bs),
			 "duration_ns", (json_int_t)duration_ns,
			 "instructions", instructions < 0 ? json_null() :
			 json_integer(instructions),
			 "evidence", evidence);
}

/* The instrument counts nothing but the I/Os: the evidence is taken round it. */
static int count_ios(const struct setup *s, const struct count_args *args,
		     struct io *io, json_t **result, struct failure *f)
{
	struct deadline d = deadline_in(args->deadline_s);
	struct instrument instrument;
	struct failure later;
	struct evidence e;
	json_t *evidence;
	s64 start;
	int ret;

	if (io_run(io, WARM_UP, &d, f) ||
	    instrument_open(&instrument, args->instrument, f))
		return -1;
	ret = evidence_begin(&e, s, SAMPLE_COUNTED_NS, f);
	if (!ret) {
		start = now_ns();
		instrument_begin(&instrument);
		ret = io_run(io, args->ios, &d, f);
		if (instrument_end(&instrument, ret ? &later : f))
			ret = -1;
		start = now_ns() - start;
		evidence = evidence_end(&e, ret ? &later : f);
		if (!ret && evidence)
			*result = count_json(args, start, instrument.count,
					     evidence);
		else
			json_decref(evidence);
		ret = ret || !evidence ? -1 : 0;
	}
	instrument_close(&instrument);
	return ret;
}

static int count_on(const struct setup *s, const struct count_args *args,
		    json_t **result, struct failure *f)
{
	struct io io = {
		.bs = args->bs,
		.batch = args->iodepth,
		.write = strstr(args->rw, "write"),
		.random = !strncmp(args->rw, "rand", 4),
		.state = args->seed,
	};
	char path[PATH_MAX];
	int ret;

	if (io_open(&io, path_in(path, roots.devfs, "%s", s->fabric_dev), f))
		return -1;
	ret = count_ios(s, args, &io, result, f);
	io_close(&io);
	return ret;
}

/* An ordinary disk: a setup that is nothing but a disk, for its counters. */
static int count_ordinary(const struct setup *s, const struct count_args *args,
			  json_t **result, struct failure *f)
{
	struct setup plain = { .complete = true, .args.nqn = "" };
	char old[DEV_NAME_LEN], ours[DEV_NAME_LEN];
	struct failure later;
	int ret;

	expect(f, "count", "a disk that no target uses: order \"teardown\" first");
	if (s->undos)
		return got(f, "a setup");
	if (disk_find(args, plain.fabric_dev, f))
		return -1;
	if (args->scheduler[0] &&
	    disk_scheduler(plain.fabric_dev, args->scheduler, old, f))
		return -1;
	ret = count_on(&plain, args, result, f);
	if (args->scheduler[0] &&
	    disk_scheduler(plain.fabric_dev, old, ours, ret ? &later : f))
		ret = -1;
	return ret;
}

int count_run(const struct setup *s, const struct count_args *args,
	      json_t **result, struct failure *f)
{
	progress(args->name);
	if (is_ordinary(args))
		return count_ordinary(s, args, result, f);
	expect(f, "count", "a machine that is set up");
	if (!s->complete)
		return got(f, "none: order \"setup\" first");
	return count_on(s, args, result, f);
}
