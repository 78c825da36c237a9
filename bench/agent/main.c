// SPDX-License-Identifier: GPL-2.0
/*
 * p2pagent: the program inside the machine under test.
 *
 * As PID 1 of a guest's initramfs its channel to the harness is a virtio-serial
 * port; as an ordinary program it is stdin and stdout. Orders come in and
 * replies go out as JSON, one object per line.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/channel.h"
#include "lib/deadline.h"
#include "lib/files.h"
#include "lib/stop.h"
#include "machine/info.h"
#include "machine/pid1.h"
#include "serve.h"

#define TOOLS_PATH	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static noreturn void bad_usage(const char *name)
{
	fprintf(stderr,
		"usage: %s [--sysfs DIR] [--procfs DIR] [--configfs DIR] [--devfs DIR]\n"
		"Orders on stdin, replies on stdout: one JSON object per line.\n",
		name);
	exit(2);
}

static void options_parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "sysfs", required_argument, NULL, 's' },
		{ "procfs", required_argument, NULL, 'p' },
		{ "configfs", required_argument, NULL, 'c' },
		{ "devfs", required_argument, NULL, 'd' },
		{ }
	};
	int c;

	if (is_pid1())
		return;		/* the arguments are the kernel's leftovers */
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 's':
			roots.sysfs = optarg;
			break;
		case 'p':
			roots.procfs = optarg;
			break;
		case 'c':
			roots.configfs = optarg;
			break;
		case 'd':
			roots.devfs = optarg;
			break;
		default:
			bad_usage(argv[0]);
		}
	}
	if (optind != argc)
		bad_usage(argv[0]);
}

/* A login's path often lacks the places where rdma, nvme and ip are. */
static void tools_path(void)
{
	const char *old = getenv("PATH");
	char path[4096];

	snprintf(path, sizeof(path), "%s%s%s", old ? old : "", old ? ":" : "",
		 TOOLS_PATH);
	setenv("PATH", is_pid1() ? TOOLS_PATH : path, 1);
}

/* Nothing but replies may reach the harness: stdout becomes ours alone. */
static void stdio_channel(void)
{
	int out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);

	dup2(STDERR_FILENO, STDOUT_FILENO);
	channel_open(STDIN_FILENO, out);
}

/* Until there is an order with a scale, the kernel's command line has it. */
static void boot_scale(void)
{
	const char *text = getenv("P2PAGENT_SCALE");
	double scale = text ? strtod(text, NULL) : 0;

	if (scale > 0)
		deadline_scale = scale;
}

static void guest_init(void)
{
	int port;

	boot_scale();
	pid1_mounts();
	pid1_lo_up();
	port = pid1_channel();
	channel_open(port, port);
}

static void say_ready(void)
{
	channel_send(json_pack("{s:s, s:i, s:s, s:f}", "event", "ready",
			       "protocol", PROTOCOL_VERSION,
			       "kernel", kernel_release(),
			       "uptime_s", uptime_s()));
}

int main(int argc, char **argv)
{
	int ret;

	options_parse(argc, argv);
	tools_path();
	stop_init();
	if (is_pid1())
		guest_init();
	else
		stdio_channel();
	say_ready();
	serve();
	ret = serve_end();
	channel_close();
	if (is_pid1())
		pid1_poweroff();
	return ret;
}
