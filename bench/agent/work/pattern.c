// SPDX-License-Identifier: GPL-2.0
/* A seeded pattern that says where each byte belongs, carried end to end. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/channel.h"
#include "lib/deadline.h"
#include "lib/files.h"
#include "lib/stop.h"
#include "lib/verb.h"
#include "setup/state.h"
#include "work/evidence.h"
#include "work/pattern.h"

#define ALIGNMENT	4096
#define STEP		"pattern"
#define SEEN_S		2	/* for the pool to be seen in use */
#define SHOWN		16	/* bytes of a difference */

#define MAX_BYTES	0x40000000	/* 1 GiB */

struct pattern_args {
	u64 bytes;
	u64 block;
	u64 seed;
	const char *direction;
	u64 sample;		/* as above */
};

static const struct arg pattern_args[] = {
	{ ARG_FIELD(struct pattern_args, bytes), .type = ARG_UINT,
	  .number = 4 << 20, .min = 512, .max = MAX_BYTES },
	{ ARG_FIELD(struct pattern_args, block), .type = ARG_UINT,
	  .number = 64 << 10, .min = 512, .max = 16 << 20 },
	{ ARG_FIELD(struct pattern_args, seed), .type = ARG_UINT, .number = 1 },
	{ ARG_FIELD(struct pattern_args, direction), .type = ARG_STRING,
	  .required = true, .choices = "target-to-fabric|fabric-to-target" },
	{ ARG_FIELD(struct pattern_args, sample), .type = ARG_UINT, .number = 1,
	  .max = 1 },
	{ }
};

static int pattern_check(const void *args, struct failure *f)
{
	const struct pattern_args *a = args;

	expect(f, ORDER_STEP, "argument \"block\": a multiple of 512");
	if (a->block % 512)
		return got(f, "%llu", a->block);
	expect(f, ORDER_STEP, "argument \"bytes\": a multiple of \"block\" (%llu)",
	       a->block);
	if (a->bytes % a->block)
		return got(f, "%llu", a->bytes);
	return 0;
}

/* splitmix64: every word depends on the seed and on its own place */
static u64 pattern_word(u64 seed, u64 offset)
{
	u64 z = seed * 0xd1342543de82ef95ULL + offset + 1;

	z *= 0x9e3779b97f4a7c15ULL;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

void pattern_fill(void *buf, size_t len, u64 seed, u64 offset)
{
	u64 *word = buf;

	for (size_t i = 0; i < len / 8; i++)
		word[i] = pattern_word(seed, offset + 8 * i);
}

size_t pattern_differs(const void *buf, size_t len, u64 seed,
		       u64 offset)
{
	for (size_t at = 0; at < len; at += 8) {
		u64 want = pattern_word(seed, offset + at);
		const unsigned char *w = (const unsigned char *)&want;
		const unsigned char *b = (const unsigned char *)buf + at;

		for (size_t i = 0; i < 8; i++)
			if (b[i] != w[i])
				return at + i;
	}
	return len;
}

/* The two ends: from is written, to is read. */
struct ends {
	const char *from;
	const char *to;
	int from_fd;
	int to_fd;
};

static int transfer_error(struct failure *f, ssize_t n)
{
	return got(f, "%s", n < 0 ? strerror(errno) : "a short transfer");
}

static int write_block(int fd, const char *dev, const void *buf, size_t len,
		       u64 offset, struct failure *f)
{
	ssize_t n;

	expect(f, STEP, "%s: %zu bytes written at offset %llu", dev, len,
	       offset);
	n = pwrite(fd, buf, len, offset);
	return n == (ssize_t)len ? 0 : transfer_error(f, n);
}

static void hex(char *text, const unsigned char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		text += sprintf(text, "%s%02x", i ? " " : "", bytes[i]);
}

/* A difference, with the bytes on both sides from there on */
static int differs_at(const struct ends *ends, const unsigned char *buf,
		      unsigned char *want, size_t len, size_t at,
		      const struct pattern_args *a, u64 offset,
		      struct failure *f)
{
	size_t shown = len - at < SHOWN ? len - at : SHOWN;
	char text[3 * SHOWN + 1] = "";

	pattern_fill(want, len, a->seed, offset);
	hex(text, want + at, shown);
	expect(f, STEP, "%s -> %s: offset %llu: %s", ends->from,
	       ends->to, offset + at, text);
	hex(text, buf + at, shown);
	return got(f, "offset %llu: %s", offset + at, text);
}

/* The buffer holds the pattern's opposite before, so nothing read is caught. */
static int read_block(const struct ends *ends, unsigned char *buf,
		      unsigned char *spare, const struct pattern_args *a,
		      u64 offset, struct failure *f)
{
	size_t len = a->block, at;
	ssize_t n;

	memset(buf, 0x5a, len);
	expect(f, STEP, "%s: %zu bytes read at offset %llu", ends->to, len,
	       offset);
	n = pread(ends->to_fd, buf, len, offset);
	if (n != (ssize_t)len)
		return transfer_error(f, n);
	at = pattern_differs(buf, len, a->seed, offset);
	if (at == len)
		return 0;
	return differs_at(ends, buf, spare, len, at, a, offset, f);
}

static int asked_to_stop(struct failure *f)
{
	return stop_seen() ? got(f, "a signal to stop") : 0;
}

/*
 * The target's own device first gets another pattern, so that what an earlier
 * order left there cannot pass for what this one carries.
 */
static int pattern_carry(const struct ends *ends, int target_fd,
			 const char *target, unsigned char *buf,
			 const struct pattern_args *a, struct failure *f)
{
	unsigned char *spare = buf + a->block;
	u64 at;

	for (at = 0; at < a->bytes; at += a->block) {
		pattern_fill(buf, a->block, ~a->seed, at);
		if (write_block(target_fd, target, buf, a->block, at, f) ||
		    asked_to_stop(f))
			return -1;
	}
	for (at = 0; at < a->bytes; at += a->block) {
		pattern_fill(buf, a->block, a->seed, at);
		if (write_block(ends->from_fd, ends->from, buf, a->block, at,
				f) || asked_to_stop(f))
			return -1;
	}
	for (at = 0; at < a->bytes; at += a->block)
		if (read_block(ends, buf, spare, a, at, f) || asked_to_stop(f))
			return -1;
	return 0;
}

static int open_direct(const char *dev, struct failure *f)
{
	int fd = open(dev, O_RDWR | O_DIRECT | O_CLOEXEC);

	expect(f, STEP, "to open %s", dev);
	if (fd < 0)
		got(f, "%s", strerror(errno));
	return fd;
}

/*
 * A few blocks may pass between two samples of the pool: carry them again
 * until one shows them there, or the time for that is over.
 */
static int pattern_repeat(const struct ends *ends, int target_fd,
			  const char *target, unsigned char *buf,
			  const struct pattern_args *a, struct evidence *e,
			  struct failure *f)
{
	struct deadline d = deadline_in(SEEN_S);
	int ret;

	do {
		ret = pattern_carry(ends, target_fd, target, buf, a, f);
	} while (!ret && !evidence_pool_seen(e) &&
		 deadline_left_ns(&d, now_ns()));
	return ret;
}

static int pattern_open(const struct state *s, const struct pattern_args *a,
			struct evidence *e, struct failure *f)
{
	bool from_target = !strcmp(a->direction, "target-to-fabric");
	char target[PATH_MAX], fabric[PATH_MAX];
	struct ends ends = {
		.from = from_target ? target : fabric,
		.to = from_target ? fabric : target,
	};
	int target_fd, fabric_fd, ret = -1;
	void *buf;

	path_in(target, roots.devfs, "%s", s->backing.name);
	path_in(fabric, roots.devfs, "%s", s->fabric_dev);
	target_fd = open_direct(target, f);
	if (target_fd < 0)
		return -1;
	fabric_fd = open_direct(fabric, f);
	if (fabric_fd < 0)
		goto close_target;
	ends.from_fd = from_target ? target_fd : fabric_fd;
	ends.to_fd = from_target ? fabric_fd : target_fd;
	expect(f, STEP, "memory for two blocks");
	if (posix_memalign(&buf, ALIGNMENT, 2 * a->block)) {
		got(f, "none");
		goto close_fabric;
	}
	ret = pattern_repeat(&ends, target_fd, target, buf, a, e, f);
	free(buf);
close_fabric:
	close(fabric_fd);
close_target:
	close(target_fd);
	return ret;
}

static int pattern_run(struct call *call, struct failure *f)
{
	const struct pattern_args *args = call->args;
	const struct state *s = call->state;
	struct evidence_sources from =
		evidence_sources(s, args->sample ? SAMPLE_UNMEASURED_NS : SAMPLE_NONE);
	struct failure end_f;
	struct evidence e;
	json_t *evidence;
	int ret, end;

	progress(STEP);
	expect(f, STEP, "a machine that is set up");
	if (!s->complete)
		return got(f, "none: order \"setup\" first");
	if (evidence_begin(&e, &from, f))
		return -1;
	ret = pattern_open(s, args, &e, f);
	end = evidence_end(&e, &evidence, &end_f);
	call->result = json_pack("{s:I, s:o}",
				 "bytes", (json_int_t)args->bytes,
				 "evidence", evidence ? evidence : json_null());
	return failure_first(ret, f, end, &end_f);
}

const struct verb pattern_verb = {
	.name = "pattern",
	.args = pattern_args,
	.args_size = sizeof(struct pattern_args),
	.check = pattern_check,
	.run = pattern_run,
};
