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
	const char *half;	/* of it, where the other is another machine's */
	u64 sample;		/* 0: nobody looks at the pool meanwhile */
};

static const struct arg pattern_args[] = {
	{ ARG_FIELD(struct pattern_args, bytes), .type = ARG_UINT,
	  .number = 4 << 20, .min = 512, .max = MAX_BYTES },
	{ ARG_FIELD(struct pattern_args, block), .type = ARG_UINT,
	  .number = 64 << 10, .min = 512, .max = 16 << 20 },
	{ ARG_FIELD(struct pattern_args, seed), .type = ARG_UINT, .number = 1 },
	{ ARG_FIELD(struct pattern_args, direction), .type = ARG_STRING,
	  .required = true, .choices = "target-to-fabric|fabric-to-target" },
	{ ARG_FIELD(struct pattern_args, half), .type = ARG_STRING,
	  .text = "both", .choices = "write|check|both" },
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

/* One end of the fabric. */
struct end {
	char path[PATH_MAX];
	int fd;			/* -1: another machine has it */
};

/* What an order does, and with which ends. */
struct carriage {
	const struct pattern_args *args;
	bool writes, checks;
	struct end target;	/* the target's own disk */
	struct end fabric;	/* the initiator's */
	struct end *from, *to;
	unsigned char *buf;	/* for one block */
	unsigned char *want;	/* what it should have been */
};

static int transfer_error(struct failure *f, ssize_t n)
{
	return got(f, "%s", n < 0 ? strerror(errno) : "a short transfer");
}

static int write_block(const struct end *end, const void *buf, size_t len,
		       u64 offset, struct failure *f)
{
	ssize_t n;

	expect(f, STEP, "%s: %zu bytes written at offset %llu", end->path, len,
	       offset);
	n = pwrite(end->fd, buf, len, offset);
	return n == (ssize_t)len ? 0 : transfer_error(f, n);
}

static void hex(char *text, const unsigned char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		text += sprintf(text, "%s%02x", i ? " " : "", bytes[i]);
}

/* A difference, with the bytes on both sides from there on */
static int differs_at(const struct carriage *c, u64 offset, size_t at,
		      struct failure *f)
{
	size_t len = c->args->block;
	size_t shown = len - at < SHOWN ? len - at : SHOWN;
	char text[3 * SHOWN + 1] = "";

	pattern_fill(c->want, len, c->args->seed, offset);
	hex(text, c->want + at, shown);
	expect(f, STEP, "%s -> %s: offset %llu: %s", c->from->path, c->to->path,
	       offset + at, text);
	hex(text, c->buf + at, shown);
	return got(f, "offset %llu: %s", offset + at, text);
}

/* The buffer holds the pattern's opposite before, so nothing read is caught. */
static int check_block(const struct carriage *c, u64 offset, struct failure *f)
{
	size_t len = c->args->block, at;
	ssize_t n;

	memset(c->buf, 0x5a, len);
	expect(f, STEP, "%s: %zu bytes read at offset %llu", c->to->path, len,
	       offset);
	n = pread(c->to->fd, c->buf, len, offset);
	if (n != (ssize_t)len)
		return transfer_error(f, n);
	at = pattern_differs(c->buf, len, c->args->seed, offset);
	return at == len ? 0 : differs_at(c, offset, at, f);
}

static int asked_to_stop(struct failure *f)
{
	return stop_seen() ? got(f, "a signal to stop") : 0;
}

static int write_all_of(const struct carriage *c, const struct end *end,
			u64 seed, struct failure *f)
{
	u64 block = c->args->block;

	for (u64 at = 0; at < c->args->bytes; at += block) {
		pattern_fill(c->buf, block, seed, at);
		if (write_block(end, c->buf, block, at, f) || asked_to_stop(f))
			return -1;
	}
	return 0;
}

static int check_all(const struct carriage *c, struct failure *f)
{
	for (u64 at = 0; at < c->args->bytes; at += c->args->block)
		if (check_block(c, at, f) || asked_to_stop(f))
			return -1;
	return 0;
}

/*
 * The target's own disk, where we have it, first gets another pattern, so that
 * what an earlier order left there cannot pass for what this one carries.
 */
static int pattern_write(const struct carriage *c, struct failure *f)
{
	if (c->target.fd >= 0 && write_all_of(c, &c->target, ~c->args->seed, f))
		return -1;
	return write_all_of(c, c->from, c->args->seed, f);
}

static int pattern_carry(const struct carriage *c, struct failure *f)
{
	if (c->writes && pattern_write(c, f))
		return -1;
	return c->checks ? check_all(c, f) : 0;
}

/*
 * A few blocks may pass between two samples of the pool: carry them again
 * until one shows them there, or the time for that is over.
 */
static int pattern_repeat(const struct carriage *c, struct evidence *e,
			  struct failure *f)
{
	struct deadline d = deadline_in(SEEN_S);
	int ret;

	do {
		ret = pattern_carry(c, f);
	} while (!ret && !evidence_pool_seen(e) &&
		 deadline_left_ns(&d, now_ns()));
	return ret;
}

static int end_open(struct end *end, const char *disk, struct failure *f)
{
	path_in(end->path, roots.devfs, "%s", disk);
	expect(f, STEP, "to open %s", end->path);
	end->fd = open(end->path, O_RDWR | O_DIRECT | O_CLOEXEC);
	return end->fd < 0 ? got(f, "%s", strerror(errno)) : 0;
}

static bool is_used(const struct carriage *c, const struct end *end)
{
	return (c->writes && end == c->from) || (c->checks && end == c->to);
}

static struct carriage carriage_of(const struct pattern_args *args)
{
	return (struct carriage) {
		.args = args,
		.writes = strcmp(args->half, "check"),
		.checks = strcmp(args->half, "write"),
		.target = { .path = "the target's disk", .fd = -1 },
		.fabric = { .path = "the initiator's disk", .fd = -1 },
	};
}

static int carriage_open(struct carriage *c, const struct state *s,
			 struct failure *f)
{
	void *buf;

	if (is_used(c, &c->target) &&
	    (state_target(s, STEP, f) || end_open(&c->target, s->backing.name, f)))
		return -1;
	if (is_used(c, &c->fabric) &&
	    (state_initiator(s, STEP, f) || end_open(&c->fabric, s->fabric_dev, f)))
		return -1;
	expect(f, STEP, "memory for two blocks");
	if (posix_memalign(&buf, ALIGNMENT, 2 * c->args->block))
		return got(f, "none");
	c->buf = buf;
	c->want = c->buf + c->args->block;
	return 0;
}

static void carriage_close(struct carriage *c)
{
	free(c->buf);
	if (c->fabric.fd >= 0)
		close(c->fabric.fd);
	if (c->target.fd >= 0)
		close(c->target.fd);
}

static int pattern_prove(const struct carriage *c, const struct state *s,
			 json_t **result, struct failure *f)
{
	bool sampled = c->args->sample && c->writes && c->checks;
	struct evidence_sources from =
		evidence_sources(s, sampled ? SAMPLE_UNMEASURED_NS : SAMPLE_NONE);
	struct failure end_f;
	struct evidence e;
	json_t *evidence;
	int ret, end;

	if (evidence_begin(&e, &from, f))
		return -1;
	ret = pattern_repeat(c, &e, f);
	end = evidence_end(&e, &evidence, &end_f);
	*result = json_pack("{s:I, s:o}", "bytes", (json_int_t)c->args->bytes,
			    "evidence", evidence ? evidence : json_null());
	return failure_first(ret, f, end, &end_f);
}

static int pattern_run(struct call *call, struct failure *f)
{
	const struct pattern_args *args = call->args;
	struct carriage c = carriage_of(args);
	bool from_target = !strcmp(args->direction, "target-to-fabric");
	int ret;

	progress(STEP);
	c.from = from_target ? &c.target : &c.fabric;
	c.to = from_target ? &c.fabric : &c.target;
	ret = carriage_open(&c, call->state, f) ||
	      pattern_prove(&c, call->state, &call->result, f);
	carriage_close(&c);
	return ret;
}

const struct verb pattern_verb = {
	.name = "pattern",
	.args = pattern_args,
	.args_size = sizeof(struct pattern_args),
	.check = pattern_check,
	.run = pattern_run,
};
