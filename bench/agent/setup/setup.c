// SPDX-License-Identifier: GPL-2.0
/* The steps from a bare machine to a fabric disk, and back. */
#include <arpa/inet.h>
#include <string.h>

#include "lib/channel.h"
#include "lib/verb.h"
#include "setup/connect.h"
#include "setup/nvme.h"
#include "setup/provider.h"
#include "setup/rdma.h"
#include "setup/state.h"
#include "setup/target.h"

#define MAX_NQN		223	/* NVMe base specification */
#define MAX_NETDEV	15	/* IFNAMSIZ, IB_DEVICE_NAME_MAX without the NUL */
#define MAX_RDMA_DEV	63
#define RXE_DEV		"rxe0"	/* made on netdev, if not named */

static const struct arg bar_table[] = {
	{ ARG_FIELD(struct bar_args, pci), .type = ARG_STRING, .required = true },
	{ ARG_FIELD(struct bar_args, bar), .type = ARG_UINT, .number = 2, .max = 5 },
	{ ARG_FIELD(struct bar_args, offset), .type = ARG_UINT },
	{ ARG_FIELD(struct bar_args, size), .type = ARG_UINT },
	{ }
};

static const struct arg setup_args[] = {
	{ ARG_FIELD(struct setup_args, role), .type = ARG_STRING,
	  .text = "both", .choices = "target|initiator|both" },
	{ ARG_FIELD(struct setup_args, provider), .type = ARG_STRING,
	  .choices = "host|cmb|bar" },
	{ ARG_FIELD(struct setup_args, until), .type = ARG_STRING,
	  .text = "connect", .choices = "provider|connect" },
	{ ARG_FIELD(struct setup_args, nvme_serial), .type = ARG_STRING,
	  .text = "p2pbench" },
	{ ARG_FIELD(struct setup_args, bar), .type = ARG_OBJECT,
	  .fields = bar_table },
	{ ARG_FIELD(struct setup_args, module), .type = ARG_STRING,
	  .text = "/lib/p2pbench/p2p_provider.ko" },
	{ ARG_FIELD(struct setup_args, netdev), .type = ARG_STRING, .text = "" },
	{ ARG_FIELD(struct setup_args, rdma_dev), .type = ARG_STRING,
	  .text = "" },
	{ ARG_FIELD(struct setup_args, mtu), .type = ARG_UINT, .number = 4200,
	  .min = 256, .max = 65535 },
	{ ARG_FIELD(struct setup_args, addr), .type = ARG_STRING,
	  .text = "192.168.77.1/24" },
	{ ARG_FIELD(struct setup_args, traddr), .type = ARG_STRING },
	{ ARG_FIELD(struct setup_args, svc), .type = ARG_UINT, .number = 4420,
	  .min = 1, .max = 65535 },
	{ ARG_FIELD(struct setup_args, nqn), .type = ARG_STRING,
	  .text = "nqn.2026-01.org.p2pbench:target" },
	{ ARG_FIELD(struct setup_args, inline_data_size), .type = ARG_UINT,
	  .max = 1 << 20 },
	{ ARG_FIELD(struct setup_args, nr_io_queues), .type = ARG_UINT,
	  .number = 2, .min = 1, .max = 1024 },
	{ }
};

static bool is_file_name(const char *name, size_t max)
{
	return name[0] && name[0] != '.' && !strchr(name, '/') &&
	       strlen(name) <= max;
}

/* A machine may be reached by a card that was guessed: both have to be named. */
static int devices_check(const struct setup_args *a, struct failure *f)
{
	expect(f, ORDER_STEP, "argument \"netdev\", \"rdma_dev\", or both");
	if (!a->netdev[0] && !a->rdma_dev[0])
		return got(f, "neither");
	expect(f, ORDER_STEP, "argument \"netdev\": an interface's name");
	if (a->netdev[0] && !is_file_name(a->netdev, MAX_NETDEV))
		return got(f, "\"%s\"", a->netdev);
	expect(f, ORDER_STEP, "argument \"rdma_dev\": an RDMA device's name");
	if (a->rdma_dev[0] && !is_file_name(a->rdma_dev, MAX_RDMA_DEV))
		return got(f, "\"%s\"", a->rdma_dev);
	return 0;
}

static bool is_address(const char *text)
{
	unsigned char bin[16];

	return inet_pton(AF_INET, text, bin) == 1 ||
	       inet_pton(AF_INET6, text, bin) == 1;
}

static int addr_check(const char *addr, struct failure *f)
{
	char host[64] = "";
	size_t len = strcspn(addr, "/");

	expect(f, ORDER_STEP, "argument \"addr\": ADDRESS/PREFIX");
	if (!addr[len] || len >= sizeof(host))
		return got(f, "\"%s\"", addr);
	memcpy(host, addr, len);
	return is_address(host) ? 0 : got(f, "\"%s\"", addr);
}

/* Peer memory is on the target's side of the fabric; there it has to be named. */
static int target_check(const struct setup_args *a, struct failure *f)
{
	expect(f, ORDER_STEP, "argument \"provider\"");
	if (!a->provider)
		return got(f, "none of that name");
	expect(f, ORDER_STEP, "argument \"bar\" with provider \"bar\"");
	if (!strcmp(a->provider, "bar") && !a->bar.pci)
		return got(f, "none of that name");
	expect(f, ORDER_STEP, "argument \"traddr\" with role \"initiator\" alone");
	if (a->traddr)
		return got(f, "role \"%s\"", a->role);
	return 0;
}

static int initiator_check(const struct setup_args *a, struct failure *f)
{
	expect(f, ORDER_STEP, "no argument \"provider\" with role \"initiator\"");
	if (a->provider)
		return got(f, "\"%s\"", a->provider);
	expect(f, ORDER_STEP, "argument \"until\" with role \"initiator\": connect");
	if (strcmp(a->until, "connect"))
		return got(f, "\"%s\"", a->until);
	expect(f, ORDER_STEP, "argument \"traddr\": the target's address");
	if (!a->traddr)
		return got(f, "none of that name");
	return is_address(a->traddr) ? 0 : got(f, "\"%s\"", a->traddr);
}

static bool is_role(const struct setup_args *a, const char *role)
{
	return !strcmp(a->role, role);
}

static int role_check(const struct setup_args *a, struct failure *f)
{
	return is_role(a, "initiator") ? initiator_check(a, f) :
					 target_check(a, f);
}

static int setup_check(const void *args, struct failure *f)
{
	const struct setup_args *a = args;
	struct pci_match match;

	if (role_check(a, f) || devices_check(a, f) || addr_check(a->addr, f))
		return -1;
	expect(f, ORDER_STEP, "argument \"nqn\": 1 to %d bytes, no slash", MAX_NQN);
	if (!a->nqn[0] || strlen(a->nqn) > MAX_NQN || strchr(a->nqn, '/'))
		return got(f, "\"%s\"", a->nqn);
	expect(f, ORDER_STEP, "argument \"pci\": VENDOR:DEVICE or DOMAIN:BUS:SLOT.FN");
	if (a->bar.pci && pci_match_parse(a->bar.pci, &match))
		return got(f, "\"%s\"", a->bar.pci);
	return 0;
}

/* Nothing of ours may exist before: what was there is not ours to remove. */
static int setup_refuse(struct state *s, struct failure *f)
{
	progress("check that nothing is in the way");
	if (s->is_target && (provider_refuse(s, f) || target_refuse(s, f)))
		return -1;
	if (s->is_initiator && connect_refuse(s, f))
		return -1;
	return rdma_refuse(s, f);
}

static bool provider_only(const struct state *s)
{
	return !strcmp(s->args.until, "provider");
}

/* The memory, and the disk that uses it. */
static int target_begin(struct state *s, struct failure *f)
{
	return nvme_find_unused(s->args.nvme_serial, &s->backing, f) ||
	       setup_refuse(s, f) ||
	       provider_setup(s, f);
}

static int setup_steps(struct state *s, struct failure *f)
{
	if (s->is_target ? target_begin(s, f) : setup_refuse(s, f))
		return -1;
	if (provider_only(s))
		return 0;
	if (rdma_setup(s, f))
		return -1;
	if (s->is_target && target_setup(s, f))
		return -1;
	return s->is_initiator ? connect_setup(s, f) : 0;
}

static json_t *published_json(const struct pool *pool)
{
	json_t *json = pool_json(pool);

	if (json_is_object(json))
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

static json_t *provider_json(const struct state *s)
{
	return json_pack("{s:s, s:s?, s:o, s:o}",
			 "provider", s->args.provider,
			 "p2p_device", s->p2p_device[0] ? s->p2p_device : NULL,
			 "pool", published_json(&s->pool),
			 "register", register_json(&s->registration));
}

static json_t *setup_json(const struct state *s)
{
	json_t *json = s->is_target ? provider_json(s) : json_object();

	if (provider_only(s))
		return json;
	json_object_set_new(json, "netdev", s->args.netdev[0] ?
			    json_string(s->args.netdev) : json_null());
	json_object_set_new(json, "rdma_dev", json_string(s->args.rdma_dev));
	if (s->is_target) {
		json_object_set_new(json, "backing_dev",
				    json_sprintf("/dev/%s", s->backing.name));
		json_object_set_new(json, "backing_pci",
				    json_string(s->backing.pci));
	}
	if (s->is_initiator)
		json_object_set_new(json, "fabric_dev",
				    json_sprintf("/dev/%s", s->fabric_dev));
	return json;
}

static int setup_run(struct call *call, struct failure *f)
{
	const struct setup_args *args = call->args;
	struct state *s = call->state;

	expect(f, "setup", "nothing set up before");
	if (s->undos)
		return got(f, "\"%s\" made by the last setup: teardown first",
			   s->undo[s->undos - 1].step);
	json_decref(s->args_json);
	*s = (struct state) {
		.args_json = json_incref(call->json),
		.args = *args,
		.is_target = !is_role(args, "initiator"),
		.is_initiator = !is_role(args, "target"),
	};
	if (s->is_target)
		s->provider = provider_named(args->provider);
	if (!args->traddr)
		s->args.traddr = s->host;
	if (!args->rdma_dev[0])
		s->args.rdma_dev = RXE_DEV;
	strncat(s->host, args->addr, strcspn(args->addr, "/"));
	if (setup_steps(s, f))
		return -1;
	s->complete = !provider_only(s);
	call->result = setup_json(s);
	return 0;
}

const struct verb setup_verb = {
	.name = "setup",
	.args = setup_args,
	.args_size = sizeof(struct setup_args),
	.check = setup_check,
	.run = setup_run,
};
