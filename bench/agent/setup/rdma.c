// SPDX-License-Identifier: GPL-2.0
/* The RDMA device that carries the fabric: rxe, or one that is there already. */
#include <arpa/inet.h>
#include <glob.h>
#include <stdio.h>

#include "lib/channel.h"
#include "lib/command.h"
#include "lib/deadline.h"
#include "lib/files.h"
#include "setup/net.h"
#include "setup/rdma.h"

#define ADD		"rdma link add"
#define FIND		"find the RDMA device"
#define TOOL_S		20
#define LINK_S		20

/* Is the device ours to make? */
static bool is_rxe(const struct state *s)
{
	return s->args.netdev[0];
}

static char *rdma_path(char *path, const struct state *s, const char *attr)
{
	return path_in(path, roots.sysfs, "class/infiniband/%s/%s",
		       s->args.rdma_dev, attr);
}

static int rxe_refuse(struct state *s, struct failure *f)
{
	char path[PATH_MAX];

	expect(f, ADD, "no RDMA device %s before", s->args.rdma_dev);
	if (exists(rdma_path(path, s, "")))
		return got(f, "there is one: rdma link delete %s, or no \"netdev\" to use it",
			   s->args.rdma_dev);
	return net_refuse(s, f);
}

int rdma_refuse(struct state *s, struct failure *f)
{
	char path[PATH_MAX], names[400];

	if (is_rxe(s))
		return rxe_refuse(s, f);
	expect(f, FIND, "%s", s->args.rdma_dev);
	if (exists(rdma_path(path, s, "")))
		return 0;
	return got(f, "there: %s",
		   names_in(names, sizeof(names), roots.sysfs, "class/infiniband"));
}

static bool is_active(void *arg)
{
	struct state *s = arg;
	char path[PATH_MAX];

	return line_is(rdma_path(path, s, "ports/1/state"), "4: ACTIVE");
}

/* An address as /sys/class/infiniband prints the GID that is made of it. */
static void gid_of(const char *host, char gid[40])
{
	unsigned char b[16] = { [10] = 0xff, [11] = 0xff };

	if (inet_pton(AF_INET, host, b + 12) != 1)
		inet_pton(AF_INET6, host, b);
	for (int i = 0; i < 8; i++)
		sprintf(gid + 5 * i, "%02x%02x%s", b[2 * i], b[2 * i + 1],
			i < 7 ? ":" : "");
}

static bool has_gid(void *arg)
{
	struct state *s = arg;
	char path[PATH_MAX], gid[40];
	bool any = false;
	glob_t g;

	gid_of(s->host, gid);
	if (glob(rdma_path(path, s, "ports/1/gids/*"), 0, NULL, &g))
		return false;
	for (size_t i = 0; i < g.gl_pathc && !any; i++)
		any = line_is(g.gl_pathv[i], gid);
	globfree(&g);
	return any;
}

static int rxe_undo(struct state *s, struct failure *f)
{
	const char *const argv[] = { "rdma", "link", "delete", s->args.rdma_dev,
		NULL };

	return command_do("rdma link delete", argv, TOOL_S, f);
}

static int rxe_setup(struct state *s, struct failure *f)
{
	const char *const argv[] = { "rdma", "link", "add", s->args.rdma_dev,
		"type", "rxe", "netdev", s->args.netdev, NULL };

	if (net_setup(s, f))
		return -1;
	progress(ADD);
	if (command_do(ADD, argv, TOOL_S, f))
		return -1;
	undo_push(s, "rdma link delete", rxe_undo);
	return 0;
}

int rdma_setup(struct state *s, struct failure *f)
{
	const char *step = is_rxe(s) ? ADD : FIND;

	if (is_rxe(s) && rxe_setup(s, f))
		return -1;
	expect(f, step, "%s with its port 1 ACTIVE", s->args.rdma_dev);
	if (wait_until(is_active, s, LINK_S, f))
		return -1;
	expect(f, step, "%s with a GID of %s", s->args.rdma_dev, s->host);
	return wait_until(has_gid, s, LINK_S, f);
}
