// SPDX-License-Identifier: GPL-2.0
/* What the machine says about itself. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "lib/channel.h"
#include "lib/files.h"
#include "lib/verb.h"
#include "machine/info.h"
#include "machine/memory.h"

const char *kernel_release(void)
{
	static struct utsname u;

	uname(&u);
	return u.release;
}

double uptime_s(void)
{
	char path[PATH_MAX], line[64];

	read_line(path_in(path, roots.procfs, "uptime"), line, sizeof(line));
	return strtod(line, NULL);
}

static int info_run(struct call *call, struct failure *f)
{
	char path[PATH_MAX];
	char cmdline[4096];
	struct utsname u;

	uname(&u);
	expect(f, "info", "a readable %s", path_in(path, roots.procfs, "cmdline"));
	if (read_line(path, cmdline, sizeof(cmdline)))
		return got(f, "%s", strerror(errno));
	call->result = json_pack("{s:s, s:s, s:o, s:I, s:I}",
				 "kernel", u.release, "build", u.version,
				 "cmdline", json_text(cmdline, strlen(cmdline)),
				 "cpus", (json_int_t)sysconf(_SC_NPROCESSORS_ONLN),
				 "mem_total_kb", (json_int_t)meminfo_kb("MemTotal"));
	return 0;
}

const struct verb info_verb = {
	.name = "info",
	.run = info_run,
};
