// SPDX-License-Identifier: GPL-2.0
/* The steps from a bare machine to a fabric disk, and back. */
#include <string.h>

#include "channel.h"
#include "connect.h"
#include "net.h"
#include "nvme.h"
#include "provider.h"
#include "setup.h"
#include "target.h"

/* Nothing of ours may exist before: what was there is not ours to remove. */
static int setup_refuse(struct state *s, struct failure *f)
{
	progress("check that nothing is in the way");
	return provider_refuse(s, f) || target_refuse(s, f) || net_refuse(s, f);
}

static bool provider_only(const struct state *s)
{
	return !strcmp(s->args.until, "provider");
}

static int setup_steps(struct state *s, struct failure *f)
{
	int ret = nvme_find_unused(s->args.nvme_serial, &s->backing, f) ||
		  setup_refuse(s, f) ||
		  provider_setup(s, f);

	if (ret || provider_only(s))
		return ret;
	return net_setup(s, f) ||
	       target_setup(s, f) ||
	       connect_setup(s, f);
}

static json_t *pool_json(const struct pool *pool, bool published)
{
	json_t *json;

	if (!pool->size)
		return json_null();
	json = json_pack("{s:I, s:I}", "size", (json_int_t)pool->size,
			 "available", (json_int_t)pool->available);
	if (published)
		json_object_set_new(json, "published", json_true());
	return json;
}

static json_t *register_json(const struct registration *r)
{
	if (!r->ns)
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}",
			 "ns", (json_int_t)r->ns,
			 "free_pages_before", (json_int_t)r->free_pages_before,
			 "free_pages_after", (json_int_t)r->free_pages_after,
			 "device_zone_pages", (json_int_t)r->device_zone_pages,
			 "granule", (json_int_t)r->granule,
			 "page_tables", (json_int_t)r->page_tables);
}

static json_t *setup_json(const struct state *s)
{
	const char *p2p = s->p2p_device[0] ? s->p2p_device : NULL;

	if (provider_only(s))
		return json_pack("{s:s, s:s?, s:o, s:o}",
				 "provider", s->args.provider,
				 "p2p_device", p2p,
				 "pool", pool_json(&s->pool, true),
				 "register", register_json(&s->registration));
	return json_pack("{s:s, s:s?, s:s+, s:s, s:s+, s:s, s:s, s:o, s:o}",
			 "provider", s->args.provider,
			 "p2p_device", p2p,
			 "backing_dev", "/dev/", s->backing.name,
			 "backing_pci", s->backing.pci,
			 "fabric_dev", "/dev/", s->fabric_dev,
			 "netdev", s->netdev,
			 "rdma_dev", RDMA_DEV,
			 "pool", pool_json(&s->pool, true),
			 "register", register_json(&s->registration));
}

int setup_run(struct state *s, json_t *args_json, const struct setup_args *args,
	      json_t **result, struct failure *f)
{
	expect(f, "setup", "nothing set up before");
	if (s->undos)
		return got(f, "\"%s\" made by the last setup: teardown first",
			   s->undo[s->undos - 1].step);
	json_decref(s->args_json);
	*s = (struct state) {
		.args_json = json_incref(args_json),
		.args = *args,
		.provider = provider_named(args->provider),
	};
	strncat(s->host, args->addr, strcspn(args->addr, "/"));
	if (setup_steps(s, f))
		return -1;
	s->complete = !provider_only(s);
	*result = setup_json(s);
	return 0;
}

static json_t *removal_json(const struct removal *r)
{
	if (!r->ns)
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:I}", "ns", (json_int_t)r->ns,
			 "unbind_ns", (json_int_t)r->unbind_ns,
			 "free_pages_before", (json_int_t)r->free_pages_before,
			 "free_pages_after", (json_int_t)r->free_pages_after);
}

int setup_teardown(struct state *s, json_t **result, struct failure *f)
{
	int ret;

	s->complete = false;
	ret = undo_all(s, f);
	*result = json_pack("{s:o, s:o, s:o}",
			    "pool", pool_json(&s->pool, false),
			    "remove_ns", s->removal.ns ?
			    json_integer(s->removal.ns) : json_null(),
			    "remove", removal_json(&s->removal));
	return ret;
}
