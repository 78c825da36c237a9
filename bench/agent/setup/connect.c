// SPDX-License-Identifier: GPL-2.0
/* The initiator: connects to the target, and finds the block device. */
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "lib/channel.h"
#include "lib/command.h"
#include "lib/deadline.h"
#include "lib/files.h"
#include "setup/connect.h"
#include "setup/io_stat.h"
#include "setup/nvme.h"

#define CONNECT_S	60
#define DISCONNECT_S	60
#define BLOCK_DEVICE_S	30
#define KEEP_ALIVE_S	"60"	/* an emulated machine may be slow */
#define HOST_UUID	"7032706d-656d-4265-a9c8-000000000001"

static bool block_device_ready(void *arg)
{
	struct state *s = arg;

	return nvme_disk_of(s->args.nqn, s->fabric_dev);
}

static bool is_disconnected(void *arg)
{
	struct state *s = arg;
	char path[PATH_MAX];
	bool any = false;
	glob_t g;

	if (glob(path_in(path, roots.sysfs, "class/nvme/nvme*"), 0, NULL, &g))
		return true;
	for (size_t i = 0; i < g.gl_pathc && !any; i++)
		any = line_is(path_in(path, g.gl_pathv[i], "subsysnqn"),
			      s->args.nqn);
	globfree(&g);
	return !any;
}

static int connect_undo(struct state *s, struct failure *f)
{
	const char *const argv[] = { "nvme", "disconnect", "-n", s->args.nqn,
		NULL };

	if (is_disconnected(s))
		return 0;
	if (command_do("disconnect", argv, DISCONNECT_S, f))
		return -1;
	expect(f, "disconnect", "no controller of %s", s->args.nqn);
	return wait_until(is_disconnected, s, DISCONNECT_S, f);
}

/* What is connected already would be disconnected with ours. */
int connect_refuse(struct state *s, struct failure *f)
{
	expect(f, "connect", "no controller of %s before", s->args.nqn);
	if (is_disconnected(s))
		return 0;
	return got(f, "there is one: nvme disconnect -n %s", s->args.nqn);
}

/* From an address of ours, so that it is the device with this that carries it. */
int connect_setup(struct state *s, struct failure *f)
{
	char svc[16], queues[16];
	const char *const argv[] = { "nvme", "connect", "-t", "rdma",
		"-a", s->args.traddr, "-s", svc, "-n", s->args.nqn, "-i", queues,
		"-w", s->host, "-k", KEEP_ALIVE_S,
		"--hostnqn", "nqn.2014-08.org.nvmexpress:uuid:" HOST_UUID,
		"--hostid", HOST_UUID, NULL };

	progress("connect");
	snprintf(svc, sizeof(svc), "%u", (unsigned int)s->args.svc);
	snprintf(queues, sizeof(queues), "%u",
		 (unsigned int)s->args.nr_io_queues);
	undo_push(s, "disconnect", connect_undo);	/* half a connection, too */
	if (command_do("connect", argv, CONNECT_S, f))
		return -1;
	expect(f, "connect", "a block device of %s with a size",
	       s->args.nqn);
	return wait_until(block_device_ready, s, BLOCK_DEVICE_S, f) ||
	       io_stat_settle(s->fabric_dev, f);
}
