// SPDX-License-Identifier: GPL-2.0
/* Counts instructions, and takes times, while a fixed number of I/Os run. */
#include <stdlib.h>
#include <string.h>

#include "lib/channel.h"
#include "lib/files.h"
#include "lib/verb.h"
#include "setup/state.h"
#include "work/disk.h"
#include "work/evidence.h"
#include "work/instrument.h"
#include "work/io.h"
#include "work/latency.h"
#include "work/settle.h"

#define MAX_IOS		0x400000	/* 32 MiB of latencies */

struct count_args {
	const char *name;
	const char *device;
	const char *nvme_serial;
	const char *scheduler;	/* of that, or the target's disk; "": as it is */
	const char *rw;
	u64 bs;
	u64 iodepth;		/* I/Os that are submitted at once */
	u64 ios;
	u64 seed;
	u64 sample;		/* 0: nobody looks at the pool meanwhile */
	const char *instrument;
	double deadline_s;
};

static const struct arg count_args[] = {
	{ ARG_FIELD(struct count_args, name), .type = ARG_STRING,
	  .required = true },
	{ ARG_FIELD(struct count_args, device), .type = ARG_STRING,
	  .text = "fabric", .choices = "fabric|null_blk|nvme" },
	{ ARG_FIELD(struct count_args, nvme_serial), .type = ARG_STRING,
	  .text = "p2pbench" },
	{ ARG_FIELD(struct count_args, scheduler), .type = ARG_STRING, .text = "",
	  .choices = "none|mq-deadline" },
	{ ARG_FIELD(struct count_args, rw), .type = ARG_STRING, .required = true,
	  .choices = "read|write|randread|randwrite" },
	{ ARG_FIELD(struct count_args, bs), .type = ARG_UINT, .number = 4096,
	  .min = 512, .max = 16 << 20 },
	{ ARG_FIELD(struct count_args, iodepth), .type = ARG_UINT, .number = 1,
	  .min = 1, .max = IO_MAX_BATCH },
	{ ARG_FIELD(struct count_args, ios), .type = ARG_UINT, .number = 1000,
	  .min = 1, .max = MAX_IOS },
	{ ARG_FIELD(struct count_args, seed), .type = ARG_UINT, .number = 1,
	  .min = 1 },
	{ ARG_FIELD(struct count_args, sample), .type = ARG_UINT, .number = 1,
	  .max = 1 },
	{ ARG_FIELD(struct count_args, instrument), .type = ARG_STRING,
	  .text = "none", .choices = "none|marks|perf" },
	{ ARG_FIELD(struct count_args, deadline_s), .type = ARG_SECONDS,
	  .number = 600 },
	{ }
};

static int count_check(const void *args, struct failure *f)
{
	const struct count_args *a = args;

	expect(f, ORDER_STEP, "argument \"bs\": a multiple of 512");
	if (a->bs % 512)
		return got(f, "%llu", a->bs);
	return 0;
}

/*
 * Before the count: caches of the kernel fill, pages get their first touch.
 * Many small I/Os, or a batch of large ones.
 */
#define WARM_UP		64
#define WARM_UP_BYTES	(4 << 20)

static u64 warm_up_ios(const struct io *io)
{
	u64 ios = WARM_UP_BYTES / io->bs;

	if (ios > WARM_UP)
		ios = WARM_UP;
	return ios > io->batch ? ios : io->batch;
}

static bool is_ordinary(const struct count_args *args)
{
	return strcmp(args->device, "fabric");
}

struct counted {
	struct instrument instrument;
	s64 duration_ns;
	s64 *latency_ns;	/* of each I/O */
	json_t *evidence;
};

static json_t *count_json(const struct count_args *args,
			  const struct counted *c)
{
	s64 instructions = c->instrument.count;

	return json_pack("{s:I, s:I, s:I, s:o, s:o, s:o}",
			 "ios", (json_int_t)args->ios,
			 "bytes", (json_int_t)(args->ios * args->bs),
			 "duration_ns", (json_int_t)c->duration_ns,
			 "latency_ns", latency_json(c->latency_ns, args->ios),
			 "instructions", instructions < 0 ? json_null() :
			 json_integer(instructions),
			 "evidence", c->evidence);
}

/* The clock is read next to the marks: what they enclose takes that time. */
static int count_measured(const struct count_args *args, struct io *io,
			  const struct deadline *d, struct counted *c,
			  struct failure *f)
{
	struct failure read_f;
	int ret, read;
	s64 start;

	settle();
	start = now_ns();
	instrument_begin(&c->instrument);
	ret = io_run(io, args->ios, c->latency_ns, d, f);
	instrument_end(&c->instrument);
	c->duration_ns = now_ns() - start;
	read = instrument_read(&c->instrument, &read_f);
	return failure_first(ret, f, read, &read_f);
}

/* The instrument counts nothing but the I/Os: the evidence is taken round it. */
static int count_proved(const struct evidence_sources *from,
			const struct count_args *args, struct io *io,
			const struct deadline *d, struct counted *c,
			struct failure *f)
{
	struct failure end_f;
	struct evidence e;
	int ret, end;

	if (evidence_begin(&e, from, f))
		return -1;
	ret = count_measured(args, io, d, c, f);
	end = evidence_end(&e, &c->evidence, &end_f);
	return failure_first(ret, f, end, &end_f);
}

static int count_ios(const struct evidence_sources *from,
		     const struct count_args *args, struct io *io,
		     json_t **result, struct failure *f)
{
	struct deadline d = deadline_in(args->deadline_s);
	struct counted c = { .latency_ns = latency_alloc(args->ios, f) };
	int ret = -1;

	if (c.latency_ns && !io_run(io, warm_up_ios(io), NULL, &d, f) &&
	    !instrument_open(&c.instrument, args->instrument, f)) {
		ret = count_proved(from, args, io, &d, &c, f);
		instrument_close(&c.instrument);
	}
	if (!ret)
		*result = count_json(args, &c);
	else
		json_decref(c.evidence);
	free(c.latency_ns);
	return ret;
}

static int count_on(const struct evidence_sources *from,
		    const struct count_args *args, json_t **result,
		    struct failure *f)
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

	if (io_open(&io, path_in(path, roots.devfs, "%s", from->disk), f))
		return -1;
	ret = count_ios(from, args, &io, result, f);
	io_close(&io);
	return ret;
}

/* Counts with another scheduler of a disk, and puts the old one back. */
static int count_scheduled(const struct evidence_sources *from,
			   const char *disk, const struct count_args *args,
			   json_t **result, struct failure *f)
{
	char old[DEV_NAME_LEN], ours[DEV_NAME_LEN];
	struct failure back_f;
	int ret, back;

	if (!args->scheduler[0])
		return count_on(from, args, result, f);
	if (disk_scheduler(disk, args->scheduler, old, f))
		return -1;
	ret = count_on(from, args, result, f);
	back = disk_scheduler(disk, old, ours, &back_f);
	return failure_first(ret, f, back, &back_f);
}

static int count_ordinary(const struct state *s, const struct count_args *args,
			  json_t **result, struct failure *f)
{
	char disk[DEV_NAME_LEN];
	struct evidence_sources from = {
		.disk = disk,
		.nqn = "",
		.p2p_device = "",
		.period_ns = SAMPLE_NONE,
	};

	expect(f, "count", "a disk that no target uses: order \"teardown\" first");
	if (s->undos)
		return got(f, "a setup");
	if (disk_find(args->device, args->nvme_serial, disk, f))
		return -1;
	return count_scheduled(&from, disk, args, result, f);
}

static int count_fabric(const struct state *s, const struct count_args *args,
			json_t **result, struct failure *f)
{
	struct evidence_sources from =
		evidence_sources(s, args->sample ? SAMPLE_COUNTED_NS : SAMPLE_NONE);

	if (state_initiator(s, "count", f))
		return -1;
	expect(f, "count", "the target's disk here, for a scheduler");
	if (args->scheduler[0] && !s->is_target)
		return got(f, "role \"%s\"", s->args.role);
	return count_scheduled(&from, s->backing.name, args, result, f);
}

/*
 * The answer: "ios" and "bytes" of the args, "duration_ns" of the I/Os in all,
 * "latency_ns" as of latency_json(), "instructions" or null, "evidence". Times
 * are by this machine's clock; what ran to warm up is in none of the figures.
 */
static int count_run(struct call *call, struct failure *f)
{
	const struct count_args *args = call->args;

	progress(args->name);
	if (is_ordinary(args))
		return count_ordinary(call->state, args, &call->result, f);
	return count_fabric(call->state, args, &call->result, f);
}

const struct verb count_verb = {
	.name = "count",
	.args = count_args,
	.args_size = sizeof(struct count_args),
	.check = count_check,
	.run = count_run,
};
