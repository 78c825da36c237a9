// SPDX-License-Identifier: GPL-2.0
/* The network interface, and rxe on it. */
#include <arpa/inet.h>
#include <glob.h>
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
#define ARPHRD_ETHER	"1"

static char *net_path(char *path, const char *netdev, const char *attr)
{
	return path_in(path, roots.sysfs, "class/net/%s/%s", netdev, attr);
}

static bool is_pci_ethernet(const char *netdev)
{
	char path[PATH_MAX], subsystem[32];

	return line_is(net_path(path, netdev, "type"), ARPHRD_ETHER) &&
	       !link_name(net_path(path, netdev, "device/subsystem"), subsystem,
			  sizeof(subsystem)) &&
	       !strcmp(subsystem, "pci");
}

/* The interface that was asked for, or the PCI ethernet of lowest address. */
static int net_find(struct state *s, struct failure *f)
{
	char path[PATH_MAX], pci[PCI_NAME_LEN], best[PCI_NAME_LEN] = "";
	const char *asked = s->args.netdev;
	glob_t g;

	expect(f, "find the network interface", "%s",
	       asked[0] ? asked : "a PCI ethernet interface");
	if (glob(path_in(path, roots.sysfs, "class/net/*"), 0, NULL, &g))
		return got(f, "no interface at all");
	for (size_t i = 0; i < g.gl_pathc; i++) {
		const char *name = strrchr(g.gl_pathv[i], '/') + 1;

		if (asked[0] ? strcmp(name, asked) : !is_pci_ethernet(name))
			continue;
		link_name(net_path(path, name, "device"), pci, sizeof(pci));
		if (s->netdev[0] && strcmp(pci, best) >= 0)
			continue;
		snprintf(s->netdev, sizeof(s->netdev), "%s", name);
		snprintf(best, sizeof(best), "%s", pci);
	}
	globfree(&g);
	return s->netdev[0] ? 0 : got(f, "none");
}

int net_refuse(struct state *s, struct failure *f)
{
	char path[PATH_MAX];

	if (net_find(s, f))
		return -1;
	expect(f, "rdma link add", "no RDMA device " RDMA_DEV " before");
	if (exists(path_in(path, roots.sysfs, "class/infiniband/" RDMA_DEV)))
		return got(f, "there is one: rdma link delete " RDMA_DEV);
	return 0;
}

static int link_undo(struct state *s, struct failure *f)
{
	const char *const argv[] = { "ip", "link", "set", "dev", s->netdev,
		"mtu", s->old_mtu, s->was_up ? "up" : "down", NULL };

	return command_do("restore the link", argv, TOOL_S, f);
}

static bool has_carrier(void *arg)
{
	char path[PATH_MAX];

	return line_is(net_path(path, arg, "carrier"), "1");
}

static int link_setup(struct state *s, struct failure *f)
{
	char path[PATH_MAX], mtu[16], flags[32];
	const char *const argv[] = { "ip", "link", "set", "dev", s->netdev,
		"mtu", mtu, "up", NULL };

	progress("link up");
	snprintf(mtu, sizeof(mtu), "%u", (unsigned int)s->args.mtu);
	read_line(net_path(path, s->netdev, "mtu"), s->old_mtu,
		  sizeof(s->old_mtu));
	read_line(net_path(path, s->netdev, "flags"), flags, sizeof(flags));
	s->was_up = strtoul(flags, NULL, 0) & IFF_UP;
	undo_push(s, "restore the link", link_undo);
	if (command_do("link up", argv, TOOL_S, f))
		return -1;
	expect(f, "link up", "carrier on %s", s->netdev);
	return wait_until(has_carrier, s->netdev, LINK_S, f);
}

static int addr_undo(struct state *s, struct failure *f)
{
	const char *const argv[] = { "ip", "addr", "del", s->args.addr, "dev",
		s->netdev, NULL };

	return command_do("remove the address", argv, TOOL_S, f);
}

static int addr_setup(struct state *s, struct failure *f)
{
	const char *const show[] = { "ip", "-o", "addr", "show", "dev",
		s->netdev, NULL };
	const char *const add[] = { "ip", "addr", "add", s->args.addr, "dev",
		s->netdev, NULL };
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

static bool rxe_is_active(void *arg)
{
	char path[PATH_MAX];

	(void)arg;
	path_in(path, roots.sysfs, "class/infiniband/" RDMA_DEV "/ports/1/state");
	return line_is(path, "4: ACTIVE");
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

static bool rxe_has_gid(void *arg)
{
	char path[PATH_MAX], gid[40];
	bool found = false;
	glob_t g;

	gid_of(arg, gid);
	path_in(path, roots.sysfs,
		"class/infiniband/" RDMA_DEV "/ports/1/gids/*");
	if (glob(path, 0, NULL, &g))
		return false;
	for (size_t i = 0; i < g.gl_pathc && !found; i++)
		found = line_is(g.gl_pathv[i], gid);
	globfree(&g);
	return found;
}

static int rxe_undo(struct state *s, struct failure *f)
{
	const char *const argv[] = { "rdma", "link", "delete", RDMA_DEV, NULL };

	(void)s;
	return command_do("rdma link delete", argv, TOOL_S, f);
}

static int rxe_setup(struct state *s, struct failure *f)
{
	const char *const argv[] = { "rdma", "link", "add", RDMA_DEV, "type",
		"rxe", "netdev", s->netdev, NULL };

	progress("rdma link add");
	if (command_do("rdma link add", argv, TOOL_S, f))
		return -1;
	undo_push(s, "rdma link delete", rxe_undo);
	expect(f, "rdma link add", RDMA_DEV " with its port ACTIVE");
	if (wait_until(rxe_is_active, NULL, LINK_S, f))
		return -1;
	expect(f, "rdma link add", RDMA_DEV " with a GID of %s", s->host);
	return wait_until(rxe_has_gid, s->host, LINK_S, f);
}

int net_setup(struct state *s, struct failure *f)
{
	return link_setup(s, f) || addr_setup(s, f) || rxe_setup(s, f);
}
