// SPDX-License-Identifier: GPL-2.0
/* Orders: their arguments, checked against a table, in a C struct. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "io.h"
#include "order.h"
#include "pci.h"

#define STEP		"order"
#define MAX_PATTERN	0x40000000	/* 1 GiB */
#define MAX_IOS		0x400000	/* 32 MiB of latencies */
#define MAX_NQN		223	/* NVMe base specification */
#define MAX_SECONDS	86400
#define MAX_SCALE	10000

#define FIELD(type, member)	.name = #member, .offset = offsetof(type, member)

const struct arg no_args[] = { { } };

static const struct arg bar_table[] = {
	{ FIELD(struct bar_args, pci), .type = ARG_STRING, .required = true },
	{ FIELD(struct bar_args, bar), .type = ARG_UINT, .number = 2, .max = 5 },
	{ FIELD(struct bar_args, offset), .type = ARG_UINT },
	{ FIELD(struct bar_args, size), .type = ARG_UINT },
	{ }
};

const struct arg setup_table[] = {
	{ FIELD(struct setup_args, provider), .type = ARG_STRING,
	  .required = true, .choices = "host|cmb|bar" },
	{ FIELD(struct setup_args, until), .type = ARG_STRING,
	  .text = "connect", .choices = "provider|connect" },
	{ FIELD(struct setup_args, nvme_serial), .type = ARG_STRING,
	  .text = "p2pbench" },
	{ FIELD(struct setup_args, bar), .type = ARG_OBJECT,
	  .fields = bar_table },
	{ FIELD(struct setup_args, module), .type = ARG_STRING,
	  .text = "/lib/p2pbench/p2p_provider.ko" },
	{ FIELD(struct setup_args, netdev), .type = ARG_STRING, .text = "" },
	{ FIELD(struct setup_args, mtu), .type = ARG_UINT, .number = 4200,
	  .min = 256, .max = 65535 },
	{ FIELD(struct setup_args, addr), .type = ARG_STRING,
	  .text = "192.168.77.1/24" },
	{ FIELD(struct setup_args, svc), .type = ARG_UINT, .number = 4420,
	  .min = 1, .max = 65535 },
	{ FIELD(struct setup_args, nqn), .type = ARG_STRING,
	  .text = "nqn.2026-01.org.p2pbench:target" },
	{ FIELD(struct setup_args, inline_data_size), .type = ARG_UINT,
	  .max = 1 << 20 },
	{ FIELD(struct setup_args, nr_io_queues), .type = ARG_UINT,
	  .number = 2, .min = 1, .max = 1024 },
	{ }
};

const struct arg fio_table[] = {
	{ FIELD(struct fio_args, name), .type = ARG_STRING, .required = true },
	{ FIELD(struct fio_args, job), .type = ARG_STRING, .required = true },
	{ FIELD(struct fio_args, deadline_s), .type = ARG_SECONDS,
	  .number = 600 },
	{ }
};

const struct arg count_table[] = {
	{ FIELD(struct count_args, name), .type = ARG_STRING,
	  .required = true },
	{ FIELD(struct count_args, device), .type = ARG_STRING,
	  .text = "fabric", .choices = "fabric|null_blk|nvme" },
	{ FIELD(struct count_args, nvme_serial), .type = ARG_STRING,
	  .text = "p2pbench" },
	{ FIELD(struct count_args, scheduler), .type = ARG_STRING, .text = "",
	  .choices = "none|mq-deadline" },
	{ FIELD(struct count_args, rw), .type = ARG_STRING, .required = true,
	  .choices = "read|write|randread|randwrite" },
	{ FIELD(struct count_args, bs), .type = ARG_UINT, .number = 4096,
	  .min = 512, .max = 16 << 20 },
	{ FIELD(struct count_args, iodepth), .type = ARG_UINT, .number = 1,
	  .min = 1, .max = IO_MAX_BATCH },
	{ FIELD(struct count_args, ios), .type = ARG_UINT, .number = 1000,
	  .min = 1, .max = MAX_IOS },
	{ FIELD(struct count_args, seed), .type = ARG_UINT, .number = 1,
	  .min = 1 },
	{ FIELD(struct count_args, sample), .type = ARG_UINT, .number = 1,
	  .max = 1 },
	{ FIELD(struct count_args, instrument), .type = ARG_STRING,
	  .text = "none", .choices = "none|marks|perf" },
	{ FIELD(struct count_args, deadline_s), .type = ARG_SECONDS,
	  .number = 600 },
	{ }
};

const struct arg command_table[] = {
	{ FIELD(struct command_args, line), .type = ARG_STRING,
	  .required = true },
	{ FIELD(struct command_args, deadline_s), .type = ARG_SECONDS,
	  .number = 60 },
	{ }
};

const struct arg pattern_table[] = {
	{ FIELD(struct pattern_args, bytes), .type = ARG_UINT,
	  .number = 4 << 20, .min = 512, .max = MAX_PATTERN },
	{ FIELD(struct pattern_args, block), .type = ARG_UINT,
	  .number = 64 << 10, .min = 512, .max = 16 << 20 },
	{ FIELD(struct pattern_args, seed), .type = ARG_UINT, .number = 1 },
	{ FIELD(struct pattern_args, direction), .type = ARG_STRING,
	  .required = true, .choices = "target-to-fabric|fabric-to-target" },
	{ FIELD(struct pattern_args, sample), .type = ARG_UINT, .number = 1,
	  .max = 1 },
	{ }
};

static const char *type_name(const json_t *v)
{
	static const char *const names[] = {
		[JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array",
		[JSON_STRING] = "a string", [JSON_INTEGER] = "an integer",
		[JSON_REAL] = "a real number", [JSON_TRUE] = "true",
		[JSON_FALSE] = "false", [JSON_NULL] = "null",
	};

	return v ? names[json_typeof(v)] : "nothing";
}

static const char *next_choice(const char *c)
{
	c = strchr(c, '|');
	return c ? c + 1 : NULL;
}

static bool is_choice(const char *choices, const char *s)
{
	size_t len = strlen(s);

	for (const char *c = choices; c; c = next_choice(c))
		if (strcspn(c, "|") == len && !strncmp(c, s, len))
			return true;
	return false;
}

static int decode_string(const struct arg *a, json_t *v, void *into,
			 struct failure *f)
{
	const char *s = v ? json_string_value(v) : a->text;

	if (v) {
		expect(f, STEP, "argument \"%s\": a string", a->name);
		if (!s)
			return got(f, "%s", type_name(v));
		if (a->choices) {
			expect(f, STEP, "argument \"%s\": %s", a->name,
			       a->choices);
			if (!is_choice(a->choices, s))
				return got(f, "\"%s\"", s);
		}
	}
	*(const char **)into = s;
	return 0;
}

static int decode_uint(const struct arg *a, json_t *v, void *into,
		       struct failure *f)
{
	json_int_t n;

	*(u64 *)into = a->number;
	if (!v)
		return 0;
	expect(f, STEP, "argument \"%s\": an integer from %llu%s", a->name,
	       a->min, a->max ? "" : " on");
	if (a->max)
		expect(f, STEP, "argument \"%s\": an integer from %llu to %llu",
		       a->name, a->min,
		       a->max);
	if (!json_is_integer(v))
		return got(f, "%s", type_name(v));
	n = json_integer_value(v);
	if (n < 0 || (u64)n < a->min || (a->max && (u64)n > a->max))
		return got(f, "%lld", (long long)n);
	*(u64 *)into = n;
	return 0;
}

static int decode_seconds(const struct arg *a, json_t *v, void *into,
			  struct failure *f)
{
	double *seconds = into;

	*seconds = v ? json_number_value(v) : a->number;
	expect(f, STEP, "argument \"%s\": seconds, above 0 and up to %d",
	       a->name, MAX_SECONDS);
	if (v && !json_is_number(v))
		return got(f, "%s", type_name(v));
	if (!(*seconds > 0 && *seconds <= MAX_SECONDS))
		return got(f, "%g", *seconds);
	return 0;
}

static int decode_object(const struct arg *a, json_t *v, void *into,
			 struct failure *f)
{
	if (!v || json_is_null(v))
		return 0;
	expect(f, STEP, "argument \"%s\": an object", a->name);
	if (!json_is_object(v))
		return got(f, "%s", type_name(v));
	return args_decode(a->fields, v, into, f);
}

static int decode(const struct arg *a, json_t *v, void *into, struct failure *f)
{
	static int (*const by_type[])(const struct arg *a, json_t *v,
				      void *into, struct failure *f) = {
		[ARG_STRING] = decode_string,
		[ARG_UINT] = decode_uint,
		[ARG_SECONDS] = decode_seconds,
		[ARG_OBJECT] = decode_object,
	};

	expect(f, STEP, "argument \"%s\"", a->name);
	if (a->required && !v)
		return got(f, "none of that name");
	return by_type[a->type](a, v, into, f);
}

static bool in_table(const struct arg *table, const char *name)
{
	for (; table->name; table++)
		if (!strcmp(table->name, name))
			return true;
	return false;
}

static int args_known(const struct arg *table, json_t *args, struct failure *f)
{
	char known[256] = "";
	const char *key;
	json_t *value;

	for (const struct arg *a = table; a->name; a++) {
		strncat(known, a == table ? "" : ", ",
			sizeof(known) - strlen(known) - 1);
		strncat(known, a->name, sizeof(known) - strlen(known) - 1);
	}
	if (!known[0])
		strcpy(known, "none");
	expect(f, STEP, "known arguments only (%s)", known);
	json_object_foreach(args, key, value)
		if (!in_table(table, key))
			return got(f, "\"%s\"", key);
	return 0;
}

int args_decode(const struct arg *table, json_t *args, void *into,
		struct failure *f)
{
	if (args_known(table, args, f))
		return -1;
	for (const struct arg *a = table; a->name; a++)
		if (decode(a, json_object_get(args, a->name),
			   (char *)into + a->offset, f))
			return -1;
	return 0;
}

static int addr_check(const char *addr, struct failure *f)
{
	char host[64];
	size_t len = strcspn(addr, "/");
	unsigned char bin[16];

	expect(f, STEP, "argument \"addr\": ADDRESS/PREFIX");
	if (!addr[len] || len >= sizeof(host))
		return got(f, "\"%s\"", addr);
	memcpy(host, addr, len);
	host[len] = '\0';
	if (inet_pton(AF_INET, host, bin) != 1 &&
	    inet_pton(AF_INET6, host, bin) != 1)
		return got(f, "\"%s\"", addr);
	return 0;
}

int setup_args_check(const struct setup_args *a, struct failure *f)
{
	struct pci_match match;

	expect(f, STEP, "argument \"nqn\": 1 to %d bytes, no slash", MAX_NQN);
	if (!a->nqn[0] || strlen(a->nqn) > MAX_NQN || strchr(a->nqn, '/'))
		return got(f, "\"%s\"", a->nqn);
	expect(f, STEP, "argument \"netdev\": an interface's name, or \"\"");
	if (strlen(a->netdev) > 15 || strchr(a->netdev, '/'))
		return got(f, "\"%s\"", a->netdev);
	if (addr_check(a->addr, f))
		return -1;
	expect(f, STEP, "argument \"bar\" with provider \"bar\"");
	if (!strcmp(a->provider, "bar") && !a->bar.pci)
		return got(f, "none of that name");
	expect(f, STEP, "argument \"pci\": VENDOR:DEVICE or DOMAIN:BUS:SLOT.FN");
	if (a->bar.pci && pci_match_parse(a->bar.pci, &match))
		return got(f, "\"%s\"", a->bar.pci);
	return 0;
}

int count_args_check(const struct count_args *a, struct failure *f)
{
	expect(f, STEP, "argument \"bs\": a multiple of 512");
	if (a->bs % 512)
		return got(f, "%llu", a->bs);
	return 0;
}

int pattern_args_check(const struct pattern_args *a, struct failure *f)
{
	expect(f, STEP, "argument \"block\": a multiple of 512");
	if (a->block % 512)
		return got(f, "%llu", a->block);
	expect(f, STEP, "argument \"bytes\": a multiple of \"block\" (%llu)",
	       a->block);
	if (a->bytes % a->block)
		return got(f, "%llu", a->bytes);
	return 0;
}

static int order_fields(struct order *o, struct failure *f)
{
	json_t *scale = json_object_get(o->json, "scale");

	o->id = json_object_get(o->json, "id");
	expect(f, STEP, "\"id\": an integer or a string");
	if (!json_is_integer(o->id) && !json_is_string(o->id))
		return got(f, "%s", type_name(o->id));
	expect(f, STEP, "\"order\": a string");
	o->name = json_string_value(json_object_get(o->json, "order"));
	if (!o->name)
		return got(f, "%s",
			   type_name(json_object_get(o->json, "order")));
	expect(f, STEP, "\"scale\": a number above 0, up to %d", MAX_SCALE);
	o->scale = scale ? json_number_value(scale) : 1.0;
	if (!(o->scale > 0 && o->scale <= MAX_SCALE))
		return got(f, "%s %g", type_name(scale), o->scale);
	expect(f, STEP, "\"args\": an object");
	o->args = json_object_get(o->json, "args");
	if (!o->args && json_object_set_new(o->json, "args", json_object()))
		return got(f, "no memory");
	o->args = json_object_get(o->json, "args");
	if (!json_is_object(o->args))
		return got(f, "%s", type_name(o->args));
	return 0;
}

int order_parse(const char *line, struct order *o, struct failure *f)
{
	json_error_t error;

	*o = (struct order) { };
	expect(f, STEP, "a JSON object on one line");
	o->json = json_loads(line, JSON_REJECT_DUPLICATES, &error);
	if (!o->json)
		return got(f, "%s in: %.200s", error.text, line);
	if (!json_is_object(o->json))
		return got(f, "%s: %.200s", type_name(o->json), line);
	return order_fields(o, f);
}

void order_free(struct order *o)
{
	json_decref(o->json);
	*o = (struct order) { };
}
