// SPDX-License-Identifier: GPL-2.0
/* One order of the harness: a line of JSON. */
#include "lib/args.h"
#include "lib/order.h"

#define MAX_SCALE	10000

static int order_fields(struct order *o, struct failure *f)
{
	json_t *scale = json_object_get(o->json, "scale");

	o->id = json_object_get(o->json, "id");
	expect(f, ORDER_STEP, "\"id\": an integer or a string");
	if (!json_is_integer(o->id) && !json_is_string(o->id))
		return got(f, "%s", json_type_name(o->id));
	expect(f, ORDER_STEP, "\"order\": a string");
	o->name = json_string_value(json_object_get(o->json, "order"));
	if (!o->name)
		return got(f, "%s",
			   json_type_name(json_object_get(o->json, "order")));
	expect(f, ORDER_STEP, "\"scale\": a number above 0, up to %d", MAX_SCALE);
	o->scale = scale ? json_number_value(scale) : 1.0;
	if (!(o->scale > 0 && o->scale <= MAX_SCALE))
		return got(f, "%s %g", json_type_name(scale), o->scale);
	expect(f, ORDER_STEP, "\"args\": an object");
	o->args = json_object_get(o->json, "args");
	if (!o->args && json_object_set_new(o->json, "args", json_object()))
		return got(f, "no memory");
	o->args = json_object_get(o->json, "args");
	if (!json_is_object(o->args))
		return got(f, "%s", json_type_name(o->args));
	return 0;
}

int order_parse(const char *line, struct order *o, struct failure *f)
{
	json_error_t error;

	*o = (struct order) { };
	expect(f, ORDER_STEP, "a JSON object on one line");
	o->json = json_loads(line, JSON_REJECT_DUPLICATES, &error);
	if (!o->json)
		return got(f, "%s in: %.200s", error.text, line);
	if (!json_is_object(o->json))
		return got(f, "%s: %.200s", json_type_name(o->json), line);
	return order_fields(o, f);
}

void order_free(struct order *o)
{
	json_decref(o->json);
	*o = (struct order) { };
}
