// SPDX-License-Identifier: GPL-2.0
/* Runs a program, with a deadline, and keeps what it printed. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/command.h"
#include "lib/deadline.h"
#include "lib/stop.h"

#define GRACE_S		5	/* between SIGTERM and SIGKILL */

/* What a running program is watched by. */
struct child {
	pid_t pid;
	int pidfd;
	int out;
	int err;
	int exec_error;		/* errno of a failed exec comes through here */
};

static int text_append(struct text *t, const char *s, size_t len)
{
	char *more = realloc(t->s, t->len + len + 1);

	if (!more)
		return -ENOMEM;
	t->s = more;
	memcpy(t->s + t->len, s, len);
	t->len += len;
	t->s[t->len] = '\0';
	return 0;
}

/* Reads what is there; false at the end of the pipe. */
static bool drain(int fd, struct text *t)
{
	char buf[16384];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (text_append(t, buf, n))
			return false;
	return n < 0 && errno == EAGAIN;
}

static void child_exec(const struct command *c, const int out[2],
		       const int err[2], int exec_error)
{
	int null = open("/dev/null", O_RDONLY);

	setpgid(0, 0);
	stop_unblock_in_child();
	dup2(null, STDIN_FILENO);
	dup2(out[1], STDOUT_FILENO);
	dup2(err[1], STDERR_FILENO);
	if (c->env)
		putenv((char *)c->env);
	if (!c->dir || !chdir(c->dir))
		execvp(c->argv[0], (char *const *)c->argv);
	if (write(exec_error, &errno, sizeof(errno)) < 0)
		_exit(126);
	_exit(127);
}

static void close_pipe(int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

static void child_close(struct child *child)
{
	close(child->out);
	close(child->err);
	close(child->exec_error);
	if (child->pidfd >= 0)
		close(child->pidfd);
}

static int child_start(const struct command *c, struct child *child)
{
	int out[2], err[2], exec_error[2];

	if (pipe2(out, O_CLOEXEC))
		return -errno;
	if (pipe2(err, O_CLOEXEC)) {
		close_pipe(out);
		return -errno;
	}
	if (pipe2(exec_error, O_CLOEXEC)) {
		close_pipe(out);
		close_pipe(err);
		return -errno;
	}
	child->pid = fork();
	if (!child->pid)
		child_exec(c, out, err, exec_error[1]);
	close(out[1]);
	close(err[1]);
	close(exec_error[1]);
	child->out = out[0];
	child->err = err[0];
	child->exec_error = exec_error[0];
	fcntl(child->out, F_SETFL, O_NONBLOCK);
	fcntl(child->err, F_SETFL, O_NONBLOCK);
	child->pidfd = child->pid < 0 ? -1 : pidfd_open(child->pid, 0);
	if (child->pid < 0) {
		child_close(child);
		return -EAGAIN;
	}
	setpgid(child->pid, 0);		/* here too: whoever comes first */
	return 0;
}

/* 1: the child has ended, 0: the deadline passed, -1: asked to stop. */
static int child_watch(struct command *c, struct child *child,
		       const struct deadline *d, bool may_stop)
{
	struct pollfd fds[] = {
		{ .fd = child->pidfd, .events = POLLIN },
		{ .fd = child->out, .events = POLLIN },
		{ .fd = child->err, .events = POLLIN },
		{ .fd = may_stop ? stop_fd() : -1, .events = POLLIN },
	};

	for (;;) {
		s64 now = now_ns();

		if (!deadline_left_ns(d, now))
			return 0;
		poll(fds, 4, deadline_poll_ms(d, now, 1000));
		if (fds[1].revents && !drain(child->out, &c->out))
			fds[1].fd = -1;
		if (fds[2].revents && !drain(child->err, &c->err))
			fds[2].fd = -1;
		if (fds[0].revents)
			return 1;
		if (may_stop && stop_seen())
			return -1;
	}
}

/* Asks politely first: fio then ends its workers and prints its result. */
static void child_kill(struct command *c, struct child *child)
{
	struct deadline d = deadline_in(GRACE_S);

	kill(-child->pid, SIGTERM);
	if (child_watch(c, child, &d, false) == 1)
		return;
	kill(-child->pid, SIGKILL);
}

static void child_reap(struct command *c, struct child *child, s64 start)
{
	int status = 0;

	while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
		;
	c->duration_ns = now_ns() - start;
	c->exit = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	c->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	drain(child->out, &c->out);
	drain(child->err, &c->err);
}

int command_run(struct command *c, struct failure *f)
{
	struct deadline d = deadline_in(c->deadline_s);
	s64 start = now_ns();
	struct child child = { };
	int ended, error = 0;
	int ret = child_start(c, &child);

	if (ret)
		return got(f, "cannot fork for %s: %s", c->argv[0], strerror(-ret));
	ended = child_watch(c, &child, &d, true);
	if (ended != 1)
		child_kill(c, &child);
	child_reap(c, &child, start);
	if (read(child.exec_error, &error, sizeof(error)) != sizeof(error))
		error = 0;
	child_close(&child);
	if (error)
		return got(f, "cannot run %s: %s", c->argv[0], strerror(error));
	if (!ended)
		return got(f, "%s still ran after %.1f s and was killed",
			   c->argv[0], d.seconds);
	if (ended < 0)
		return got(f, "a signal to stop while %s ran", c->argv[0]);
	return 0;
}

void command_free(struct command *c)
{
	free(c->out.s);
	free(c->err.s);
	c->out = (struct text) { };
	c->err = (struct text) { };
}

static void got_output(const struct command *c, struct failure *f)
{
	const char *text = "";
	int len;

	if (c->err.len)
		text = c->err.s;
	else if (c->out.len)
		text = c->out.s;
	len = strlen(text);
	while (len > 0 && text[len - 1] == '\n')
		len--;
	if (c->signal)
		got(f, "%s killed by signal %d: %.*s", c->argv[0], c->signal,
		    len, text);
	else
		got(f, "%s exited with %d: %.*s", c->argv[0], c->exit, len,
		    text);
}

char *command_output(const char *step, const char *const *argv,
		     double deadline_s, struct failure *f)
{
	struct command c = { .argv = argv, .deadline_s = deadline_s };
	char line[400] = "";
	char *out = NULL;
	size_t len = 0;

	for (int i = 0; argv[i] && len < sizeof(line); i++)
		len += snprintf(line + len, sizeof(line) - len, "%s%s",
				i ? " " : "", argv[i]);
	expect(f, step, "\"%s\" to succeed", line);
	if (command_run(&c, f))
		goto out;
	if (c.exit) {
		got_output(&c, f);
		goto out;
	}
	out = strdup(c.out.s ? c.out.s : "");
out:
	command_free(&c);
	return out;
}

int command_do(const char *step, const char *const *argv, double deadline_s,
	       struct failure *f)
{
	char *out = command_output(step, argv, deadline_s, f);

	free(out);
	return out ? 0 : -1;
}
