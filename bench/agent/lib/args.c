// SPDX-License-Identifier: GPL-2.0
/* The arguments of an order: checked against a table, in a C struct. */
#include <string.h>

#include "lib/args.h"

#define MAX_SECONDS	86400

const char *json_type_name(const json_t *v)
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
		expect(f, ORDER_STEP, "argument \"%s\": a string", a->name);
		if (!s)
			return got(f, "%s", json_type_name(v));
		if (a->choices) {
			expect(f, ORDER_STEP, "argument \"%s\": %s", a->name,
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
	expect(f, ORDER_STEP, "argument \"%s\": an integer from %llu%s", a->name,
	       a->min, a->max ? "" : " on");
	if (a->max)
		expect(f, ORDER_STEP, "argument \"%s\": an integer from %llu to %llu",
		       a->name, a->min,
		       a->max);
	if (!json_is_integer(v))
		return got(f, "%s", json_type_name(v));
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
	expect(f, ORDER_STEP, "argument \"%s\": seconds, above 0 and up to %d",
	       a->name, MAX_SECONDS);
	if (v && !json_is_number(v))
		return got(f, "%s", json_type_name(v));
	if (!(*seconds > 0 && *seconds <= MAX_SECONDS))
		return got(f, "%g", *seconds);
	return 0;
}

static int decode_object(const struct arg *a, json_t *v, void *into,
			 struct failure *f)
{
	if (!v || json_is_null(v))
		return 0;
	expect(f, ORDER_STEP, "argument \"%s\": an object", a->name);
	if (!json_is_object(v))
		return got(f, "%s", json_type_name(v));
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

	expect(f, ORDER_STEP, "argument \"%s\"", a->name);
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

static const struct arg no_args[] = { { } };

static int args_known(const struct arg *table, json_t *args, struct failure *f)
{
	char known[512] = "";
	const char *key;
	json_t *value;

	for (const struct arg *a = table; a->name; a++) {
		strncat(known, a == table ? "" : ", ",
			sizeof(known) - strlen(known) - 1);
		strncat(known, a->name, sizeof(known) - strlen(known) - 1);
	}
	if (!known[0])
		strcpy(known, "none");
	expect(f, ORDER_STEP, "known arguments only (%s)", known);
	json_object_foreach(args, key, value)
		if (!in_table(table, key))
			return got(f, "\"%s\"", key);
	return 0;
}

int args_decode(const struct arg *table, json_t *args, void *into,
		struct failure *f)
{
	if (!table)
		table = no_args;
	if (args_known(table, args, f))
		return -1;
	for (const struct arg *a = table; a->name; a++)
		if (decode(a, json_object_get(args, a->name),
			   (char *)into + a->offset, f))
			return -1;
	return 0;
}
