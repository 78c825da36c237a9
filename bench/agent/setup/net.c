// SPDX-License-Identifier: GPL-2.0
/* The network interface that an rxe device is put on, and its address. */
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/channel.h"
#include "lib/command.h"
#include "lib/deadline.h"
#include "lib/files.h"
#include "setup/net.h"

#define TOOL_S		20
#define LINK_S		20

static char *net_path(char *path, const char *netdev, const char *attr)
{
	return path_in(path, roots.sysfs, "class/net/%s/%s", netdev, attr);
}

int net_refuse(struct state *s, struct failure *f)
{
	char path[PATH_MAX], names[400];

	expect(f, "find the network interface", "%s", s->args.netdev);
	if (exists(net_path(path, s->args.netdev, "")))
		return 0;
	return got(f, "there: %s",
		   names_in(names, sizeof(names), roots.sysfs, "class/net"));
}

static int link_undo(struct state *s, struct failure *f)
{
	const char *const argv[] = { "ip", "link", "set", "dev", s->args.netdev,
		"mtu", s->old_mtu, s->was_up ? "up" : "down", NULL };

	return command_do("restore the link", argv, TOOL_S, f);
}

static bool has_carrier(void *arg)
{
	struct state *s = arg;
	char path[PATH_MAX];

	return line_is(net_path(path, s->args.netdev, "carrier"), "1");
}

static int link_setup(struct state *s, struct failure *f)
{
	char path[PATH_MAX], mtu[16], flags[32];
	const char *const argv[] = { "ip", "link", "set", "dev", s->args.netdev,
		"mtu", mtu, "up", NULL };

	progress("link up");
	snprintf(mtu, sizeof(mtu), "%u", (unsigned int)s->args.mtu);
	read_line(net_path(path, s->args.netdev, "mtu"), s->old_mtu,
		  sizeof(s->old_mtu));
	read_line(net_path(path, s->args.netdev, "flags"), flags, sizeof(flags));
	s->was_up = strtoul(flags, NULL, 0) & IFF_UP;
	undo_push(s, "restore the link", link_undo);
	if (command_do("link up", argv, TOOL_S, f))
		return -1;
	expect(f, "link up", "carrier on %s", s->args.netdev);
	return wait_until(has_carrier, s, LINK_S, f);
}

static int addr_undo(struct state *s, struct failure *f)
{
	const char *const argv[] = { "ip", "addr", "del", s->args.addr, "dev",
		s->args.netdev, NULL };

	return command_do("remove the address", argv, TOOL_S, f);
}

static int addr_setup(struct state *s, struct failure *f)
{
	const char *const show[] = { "ip", "-o", "addr", "show", "dev",
		s->args.netdev, NULL };
	const char *const add[] = { "ip", "addr", "add", s->args.addr, "dev",
		s->args.netdev, NULL };
	char wanted[96];
	bool there;
	char *out;

	progress("address");
	out = command_output("address", show, TOOL_S, f);
	if (!out)
		return -1;
	snprintf(wanted, sizeof(wanted), " %s ", s->args.addr);
	there = strstr(out, wanted);
	free(out);
	if (there)
		return 0;	/* not made by us: it stays */
	if (command_do("address", add, TOOL_S, f))
		return -1;
	undo_push(s, "remove the address", addr_undo);
	return 0;
}

int net_setup(struct state *s, struct failure *f)
{
	return link_setup(s, f) || addr_setup(s, f);
}
