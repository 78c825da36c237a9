// SPDX-License-Identifier: GPL-2.0
/* A shell for a person, on the console of a guest. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/stop.h"
#include "lib/verb.h"
#include "machine/pid1.h"

static void shell_exec(void)
{
	int fd;

	setsid();
	stop_unblock_in_child();
	fd = open("/dev/console", O_RDWR);
	ioctl(fd, TIOCSCTTY, 1);
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
	execlp("busybox", "sh", NULL);
	_exit(127);
}

static int shell_run(struct call *call, struct failure *f)
{
	int status = 0;
	pid_t pid;

	(void)call;
	expect(f, "shell", "a shell on the console, as PID 1");
	if (!is_pid1())
		return got(f, "PID %d: this is not a guest of ours", getpid());
	pid = fork();
	if (pid < 0)
		return got(f, "%s", strerror(errno));
	if (!pid)
		shell_exec();
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return got(f, "no busybox that could be run");
	return 0;
}

const struct verb shell_verb = {
	.name = "shell",
	.run = shell_run,
};
