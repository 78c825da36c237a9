// SPDX-License-Identifier: GPL-2.0
/* The versions of the tools that a measurement needs. */
#include <stdlib.h>
#include <string.h>

#include "lib/channel.h"
#include "lib/command.h"
#include "lib/verb.h"

/* The first line that a tool prints about its version; null: no such tool. */
static json_t *tool_version(const char *tool, const char *option)
{
	const char *const argv[] = { tool, option, NULL };
	struct failure f;
	char *out = command_output("info", argv, 10, &f);
	json_t *version = out ? json_text(out, strcspn(out, "\n")) : json_null();

	free(out);
	return version;
}

/* Each tool is started for it, which takes a second of an emulated machine. */
static int tools_run(struct call *call, struct failure *f)
{
	(void)f;
	call->result = json_pack("{s:o, s:o, s:o, s:o}",
				 "fio", tool_version("fio", "--version"),
				 "nvme", tool_version("nvme", "version"),
				 "rdma", tool_version("rdma", "-V"),
				 "ip", tool_version("ip", "-V"));
	return 0;
}

const struct verb tools_verb = {
	.name = "tools",
	.run = tools_run,
};
