// SPDX-License-Identifier: GPL-2.0
/* What only the first process of a guest has to do. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/command.h"
#include "lib/deadline.h"
#include "lib/files.h"
#include "lib/verb.h"
#include "machine/pid1.h"

#define PORT_NAME	"org.p2pbench.agent"
#define PORT_S		30

bool is_pid1(void)
{
	return getpid() == 1;
}

/* There is nobody to tell but the console; and nothing to go on with. */
static noreturn void panic(const char *what, const char *why)
{
	fprintf(stderr, "p2pagent: %s: %s\n", what, why);
	pid1_poweroff();
}

void pid1_mounts(void)
{
	static const struct { const char *type, *dir; bool needed; } mounts[] = {
		{ "proc", "/proc", true },
		{ "sysfs", "/sys", true },
		{ "devtmpfs", "/dev", true },
		{ "configfs", "/sys/kernel/config", true },
		{ "debugfs", "/sys/kernel/debug", false },
		{ "tmpfs", "/run", true },
		{ "tmpfs", "/tmp", true },
		{ "tmpfs", "/dev/shm", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		const char *dir = mounts[i].dir;

		mkdir(dir, 0755);
		if (mount(mounts[i].type, dir, mounts[i].type, 0, NULL) &&
		    errno != EBUSY && mounts[i].needed)
			panic(dir, strerror(errno));
	}
	setenv("HOME", "/", 1);
}

void pid1_lo_up(void)
{
	static const char *const argv[] = { "ip", "link", "set", "dev", "lo",
		"up", NULL };
	struct failure f;

	if (command_do("lo up", argv, 10, &f))
		panic(f.expected, f.got);
}

/* /dev/vportNpM of the port with our name, as the driver lists it */
static bool port_found(void *arg)
{
	char path[PATH_MAX];
	bool is_ours = false;
	char *dev = arg;
	glob_t g;

	if (glob(path_in(path, roots.sysfs, "class/virtio-ports/*"), 0, NULL, &g))
		return false;
	for (size_t i = 0; i < g.gl_pathc && !is_ours; i++) {
		is_ours = line_is(path_in(path, g.gl_pathv[i], "name"), PORT_NAME);
		if (is_ours)
			path_in(dev, roots.devfs, "%s",
				strrchr(g.gl_pathv[i], '/') + 1);
	}
	globfree(&g);
	return is_ours && exists(dev);
}

/* While nobody is at the other end the port hangs up, and drops what it gets. */
static bool port_connected(void *arg)
{
	struct pollfd p = { .fd = *(int *)arg, .events = POLLIN };

	return poll(&p, 1, 0) >= 0 && !(p.revents & POLLHUP);
}

int pid1_channel(void)
{
	char dev[PATH_MAX];
	struct failure f;
	int fd;

	expect(&f, "channel", "a virtio-serial port named " PORT_NAME);
	if (wait_until(port_found, dev, PORT_S, &f))
		panic(f.expected, f.got);
	fd = open(dev, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		panic(dev, strerror(errno));
	expect(&f, "channel", "a harness at the other end of " PORT_NAME);
	if (wait_until(port_connected, &fd, PORT_S, &f))
		panic(f.expected, f.got);
	return fd;
}

void pid1_poweroff(void)
{
	sync();
	if (is_pid1())
		reboot(RB_POWER_OFF);
	exit(0);
}

/* serve() ends with it, and what the agent does then is up to main(). */
const struct verb poweroff_verb = {
	.name = "poweroff",
	.last = true,
};
