// SPDX-License-Identifier: GPL-2.0
/* Unit tests of the pure parts, as TAP. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/deadline.h"
#include "lib/order.h"
#include "lib/verb.h"
#include "machine/kernel_log.h"
#include "machine/memory.h"
#include "setup/io_stat.h"
#include "setup/pci.h"
#include "work/instrument.h"
#include "work/latency.h"
#include "work/pattern.h"

#define TEST(name)	static void name(void)
#define EXPECT_EQ(seen, wanted)	expect_eq(seen, wanted, #seen, __LINE__)
#define EXPECT_NE(seen, other)	expect_ne(seen, other, #seen, __LINE__)
#define EXPECT_REAL(seen, wanted)	expect_real(seen, wanted, #seen, __LINE__)
#define EXPECT_STREQ(seen, wanted)	expect_streq(seen, wanted, #seen, __LINE__)
#define EXPECT_IN(part, text)	expect_in(part, text, #text, __LINE__)

static int failed_checks;

static void expect_eq(s64 seen, s64 wanted, const char *what, int line)
{
	if (seen == wanted)
		return;
	printf("# line %d: %s is %lld, not %lld\n", line, what, seen, wanted);
	failed_checks++;
}

static void expect_ne(s64 seen, s64 other, const char *what, int line)
{
	if (seen != other)
		return;
	printf("# line %d: %s is %lld\n", line, what, seen);
	failed_checks++;
}

static void expect_real(double seen, double wanted, const char *what, int line)
{
	if (seen == wanted)
		return;
	printf("# line %d: %s is %.17g, not %.17g\n", line, what, seen, wanted);
	failed_checks++;
}

static void expect_streq(const char *seen, const char *wanted, const char *what,
			 int line)
{
	if (!strcmp(seen, wanted))
		return;
	printf("# line %d: %s is \"%s\", not \"%s\"\n", line, what, seen, wanted);
	failed_checks++;
}

static void expect_in(const char *part, const char *text, const char *what,
		      int line)
{
	if (strstr(text, part))
		return;
	printf("# line %d: %s is \"%s\", without \"%s\"\n", line, what, text, part);
	failed_checks++;
}

TEST(stat_line_gives_requests_and_bytes)
{
	struct io_stat io = { };

	EXPECT_EQ(io_stat_parse("   100   7   1600   55   20   3   320   11   2   60   66   0 0",
				&io), 0);
	EXPECT_EQ(io.reads, 100);
	EXPECT_EQ(io.read_bytes, 1600 * 512);
	EXPECT_EQ(io.writes, 20);
	EXPECT_EQ(io.write_bytes, 320 * 512);
	EXPECT_EQ(io.in_flight, 2);
}

TEST(stat_lines_of_several_paths_add_up)
{
	struct io_stat io = { };

	EXPECT_EQ(io_stat_parse("1 0 8 0 2 0 16 0 0 0 0", &io), 0);
	EXPECT_EQ(io_stat_parse("10 0 80 0 20 0 160 0 0 0 0", &io), 0);
	EXPECT_EQ(io.reads, 11);
	EXPECT_EQ(io.read_bytes, 88 * 512);
	EXPECT_EQ(io.writes, 22);
	EXPECT_EQ(io.write_bytes, 176 * 512);
}

TEST(stat_line_that_is_too_short_is_refused)
{
	struct io_stat io = { };

	EXPECT_EQ(io_stat_parse("1 0 8 0 2", &io), -EINVAL);
	EXPECT_EQ(io_stat_parse("", &io), -EINVAL);
}

static const char zoneinfo[] =
	"Node 0, zone      DMA\n"
	"  per-node stats\n"
	"      nr_inactive_anon 15455\n"
	"  pages free     3840\n"
	"        boost    0\n"
	"        spanned  4095\n"
	"        present  3998\n"
	"        managed  3840\n"
	"Node 0, zone   Device\n"
	"  pages free     0\n"
	"        boost    0\n"
	"        spanned  65536\n"
	"        present  7\n"
	"        managed  5\n"
	"Node 1, zone   Normal\n"
	"  pages free     200000\n"
	"        spanned  262144\n"
	"        present  262144\n"
	"        managed  250000\n"
	"Node 1, zone   Device\n"
	"  pages free     0\n"
	"        spanned  16384\n"
	"        present  2\n"
	"        managed  1\n";

TEST(zoneinfo_sums_the_device_zones_of_all_nodes)
{
	struct zones z;

	EXPECT_EQ(zoneinfo_parse(zoneinfo, &z), 0);
	EXPECT_EQ(z.free_pages, 203840);
	EXPECT_EQ(z.device_spanned, 81920);
	EXPECT_EQ(z.device_present, 9);
	EXPECT_EQ(z.device_managed, 6);
}

TEST(zoneinfo_without_zones_is_refused)
{
	struct zones z;

	EXPECT_EQ(zoneinfo_parse("", &z), -EINVAL);
	EXPECT_EQ(zoneinfo_parse("pages free 7\n", &z), -EINVAL);
}

TEST(deadline_is_scaled_and_never_negative)
{
	struct deadline d;

	deadline_scale = 2.5;
	d = deadline_at(1000, 2);
	deadline_scale = 1;
	EXPECT_REAL(d.seconds, 5.0);
	EXPECT_EQ(d.end_ns, 5000001000LL);
	EXPECT_EQ(deadline_left_ns(&d, 1000), 5000000000LL);
	EXPECT_EQ(deadline_left_ns(&d, d.end_ns), 0);
	EXPECT_EQ(deadline_left_ns(&d, d.end_ns + 7), 0);
}

TEST(deadline_in_milliseconds_rounds_up)
{
	struct deadline d = deadline_at(0, 1);

	EXPECT_EQ(deadline_poll_ms(&d, 0, 5000), 1000);
	EXPECT_EQ(deadline_poll_ms(&d, 0, 20), 20);
	EXPECT_EQ(deadline_poll_ms(&d, 999999999LL, 20), 1);
	EXPECT_EQ(deadline_poll_ms(&d, 1000000000LL, 20), 0);
}

static bool never(void *arg)
{
	(*(int *)arg)++;
	return false;
}

static bool third_time(void *arg)
{
	return ++*(int *)arg == 3;
}

TEST(wait_ends_with_the_condition_or_the_deadline)
{
	struct failure f = { };
	int calls = 0;

	EXPECT_EQ(wait_until(third_time, &calls, 10, &f), 0);
	EXPECT_EQ(calls, 3);
	calls = 0;
	expect(&f, "step", "a miracle");
	EXPECT_EQ(wait_until(never, &calls, 0.05, &f), -1);
	EXPECT_EQ(calls >= 2, true);
	EXPECT_STREQ(f.expected, "a miracle");
	EXPECT_IN("not within 0.", f.got);
}

TEST(pci_device_matches_by_ids)
{
	struct pci_match m;

	EXPECT_EQ(pci_match_parse("1af4:1110", &m), 0);
	EXPECT_EQ(pci_match(&m, "0000:05:00.0", 0x1af4, 0x1110), true);
	EXPECT_EQ(pci_match(&m, "0000:05:00.0", 0x1af4, 0x1111), false);
	EXPECT_EQ(pci_match(&m, "0000:05:00.0", 0x1af5, 0x1110), false);
}

TEST(pci_device_matches_by_address)
{
	struct pci_match m;

	EXPECT_EQ(pci_match_parse("0000:05:00.0", &m), 0);
	EXPECT_EQ(pci_match(&m, "0000:05:00.0", 0, 0), true);
	EXPECT_EQ(pci_match(&m, "0000:05:00.1", 0, 0), false);
	EXPECT_EQ(pci_match_parse("0000:0A:1f.7", &m), 0);
	EXPECT_EQ(pci_match(&m, "0000:0a:1f.7", 0, 0), true);
}

TEST(pci_names_that_are_none_are_refused)
{
	static const char *const names[] = {
		"", "1af4", "1af4:", "1af4:111", "1af4:11100", "05:00.0",
		"0000:05:00", "0000:05:00.8", "0000:05:20.0", "0000:05:00.0 ",
		"ivshmem", "1af4:xyz1",
	};
	struct pci_match m;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		expect_eq(pci_match_parse(names[i], &m), -EINVAL, names[i],
			  __LINE__);
}

TEST(pattern_depends_on_place_and_seed)
{
	u64 a[512], b[512];

	pattern_fill(a, sizeof(a), 1, 0);
	pattern_fill(b, sizeof(b), 1, 0);
	EXPECT_EQ(memcmp(a, b, sizeof(a)), 0);
	pattern_fill(b, sizeof(b), 1, sizeof(a));
	EXPECT_NE(memcmp(a, b, sizeof(a)), 0);
	EXPECT_EQ(pattern_differs(b, sizeof(b), 1, 0) < 8, true);
	pattern_fill(b, sizeof(b), 2, 0);
	EXPECT_EQ(pattern_differs(b, sizeof(b), 1, 0) < 8, true);
	for (size_t i = 1; i < ARRAY_SIZE(a); i++)
		EXPECT_NE(a[i], a[i - 1]);
}

TEST(pattern_is_the_same_in_blocks_of_any_size)
{
	unsigned char whole[4096], parts[4096];

	pattern_fill(whole, sizeof(whole), 9, 65536);
	for (size_t at = 0; at < sizeof(parts); at += 512)
		pattern_fill(parts + at, 512, 9, 65536 + at);
	EXPECT_EQ(memcmp(whole, parts, sizeof(whole)), 0);
}

TEST(pattern_finds_every_single_wrong_byte)
{
	unsigned char buf[512];

	pattern_fill(buf, sizeof(buf), 3, 8192);
	EXPECT_EQ(pattern_differs(buf, sizeof(buf), 3, 8192), sizeof(buf));
	for (size_t at = 0; at < sizeof(buf); at++) {
		buf[at] ^= 0x10;
		EXPECT_EQ(pattern_differs(buf, sizeof(buf), 3, 8192), at);
		buf[at] ^= 0x10;
	}
}

TEST(kmsg_record_becomes_a_line)
{
	char line[128];

	EXPECT_EQ(kmsg_format("6,339,5140900,-;NET: Registered\n SUBSYSTEM=x\n",
			      line, sizeof(line)), 0);
	EXPECT_STREQ(line, "[    5.140900] <6> NET: Registered");
	EXPECT_EQ(kmsg_format("30,1,123456789012,-;x;y\n", line, sizeof(line)), 0);
	EXPECT_STREQ(line, "[123456.789012] <6> x;y");
	EXPECT_EQ(kmsg_format("no record", line, sizeof(line)), -EINVAL);
}

/* JSON with single quotes, which need no backslashes in C */
static json_t *json_of(const char *text)
{
	char *line = strdup(text);
	json_t *json;

	for (char *c = line; *c; c++)
		if (*c == '\'')
			*c = '"';
	json = json_loads(line, 0, NULL);
	free(line);
	return json;
}

/* What a verb says to arguments: "" when they are right; takes json. */
static const char *verb_says(const struct verb *verb, json_t *json)
{
	static char text[sizeof(struct failure)];
	void *args = calloc(1, verb->args_size);
	struct failure f;

	text[0] = '\0';
	if (args_decode(verb->args, json, args, &f) || verb->check(args, &f))
		snprintf(text, sizeof(text), "%s|%s", f.expected, f.got);
	json_decref(json);
	free(args);
	return text;
}

/* Arguments of a setup, besides those that each has here. */
static const char *setup_says(const char *args)
{
	json_t *all = json_of("{'provider': 'host', 'netdev': 'eth0'}");
	json_t *more = json_of(args);

	json_object_update(all, more);
	json_decref(more);
	return verb_says(&setup_verb, all);
}

TEST(setup_arguments_that_are_right_pass)
{
	EXPECT_STREQ(setup_says("{}"), "");
	EXPECT_STREQ(setup_says("{'bar': null}"), "");
	EXPECT_STREQ(setup_says("{'provider': 'bar', 'bar': {'pci': '1af4:1110'}}"), "");
	EXPECT_STREQ(setup_says("{'provider': 'cmb', 'nvme_serial': '', 'mtu': 9000}"), "");
	EXPECT_STREQ(setup_says("{'addr': 'fd00::1/64', 'svc': 4421}"), "");
	EXPECT_STREQ(setup_says("{'rdma_dev': 'rxe1'}"), "");
	EXPECT_STREQ(setup_says("{'netdev': '', 'rdma_dev': 'mlx5_0'}"), "");
}

static const char *initiator_says(const char *args)
{
	json_t *all = json_of("{'role': 'initiator', 'netdev': 'eth0'}");
	json_t *more = json_of(args);

	json_object_update(all, more);
	json_decref(more);
	return verb_says(&setup_verb, all);
}

TEST(setup_arguments_are_those_of_the_role)
{
	EXPECT_STREQ(setup_says("{'role': 'target'}"), "");
	EXPECT_STREQ(setup_says("{'role': 'host'}"),
		     "argument \"role\": target|initiator|both|\"host\"");
	EXPECT_STREQ(setup_says("{'role': 'target', 'traddr': '10.0.0.1'}"),
		     "argument \"traddr\" with role \"initiator\" alone|role \"target\"");
	EXPECT_STREQ(setup_says("{'traddr': '10.0.0.1'}"),
		     "argument \"traddr\" with role \"initiator\" alone|role \"both\"");
	EXPECT_STREQ(initiator_says("{'traddr': '10.0.0.1'}"), "");
	EXPECT_STREQ(initiator_says("{}"),
		     "argument \"traddr\": the target's address|none of that name");
	EXPECT_STREQ(initiator_says("{'traddr': 'x'}"),
		     "argument \"traddr\": the target's address|\"x\"");
	EXPECT_STREQ(initiator_says("{'traddr': '10.0.0.1', 'provider': 'cmb'}"),
		     "no argument \"provider\" with role \"initiator\"|\"cmb\"");
	EXPECT_STREQ(initiator_says("{'traddr': '10.0.0.1', 'until': 'provider'}"),
		     "argument \"until\" with role \"initiator\": connect|\"provider\"");
}

TEST(setup_arguments_that_are_wrong_are_named)
{
	EXPECT_STREQ(verb_says(&setup_verb, json_of("{'netdev': 'eth0'}")),
		     "argument \"provider\"|none of that name");
	EXPECT_STREQ(setup_says("{'provider': 1}"),
		     "argument \"provider\": a string|an integer");
	EXPECT_STREQ(setup_says("{'provider': 'cmbb'}"),
		     "argument \"provider\": host|cmb|bar|\"cmbb\"");
	EXPECT_STREQ(setup_says("{'provider': 'cm'}"),
		     "argument \"provider\": host|cmb|bar|\"cm\"");
	EXPECT_STREQ(setup_says("{'provider': 'bar'}"),
		     "argument \"bar\" with provider \"bar\"|none of that name");
	EXPECT_STREQ(setup_says("{'bar': {'pci': 'x'}}"),
		     "argument \"pci\": VENDOR:DEVICE or DOMAIN:BUS:SLOT.FN|\"x\"");
	EXPECT_STREQ(setup_says("{'bar': {'pci': '1:1', 'bar': 6}}"),
		     "argument \"bar\": an integer from 0 to 5|6");
	EXPECT_STREQ(setup_says("{'bar': {'pci': '1:1', 'size': -1}}"),
		     "argument \"size\": an integer from 0 on|-1");
	EXPECT_STREQ(setup_says("{'mtu': 1.5}"),
		     "argument \"mtu\": an integer from 256 to 65535|a real number");
	EXPECT_STREQ(setup_says("{'nqn': '../x'}"),
		     "argument \"nqn\": 1 to 223 bytes, no slash|\"../x\"");
	EXPECT_STREQ(setup_says("{'addr': '192.168.77.1'}"),
		     "argument \"addr\": ADDRESS/PREFIX|\"192.168.77.1\"");
	EXPECT_STREQ(setup_says("{'addr': 'x/24'}"),
		     "argument \"addr\": ADDRESS/PREFIX|\"x/24\"");
	EXPECT_STREQ(setup_says("{'netdev': ''}"),
		     "argument \"netdev\", \"rdma_dev\", or both|neither");
	EXPECT_STREQ(setup_says("{'netdev': 'an-interface0000'}"),
		     "argument \"netdev\": an interface's name|\"an-interface0000\"");
	EXPECT_STREQ(setup_says("{'netdev': '..'}"),
		     "argument \"netdev\": an interface's name|\"..\"");
	EXPECT_STREQ(setup_says("{'rdma_dev': 'a/b'}"),
		     "argument \"rdma_dev\": an RDMA device's name|\"a/b\"");
	EXPECT_IN("|\"mtuu\"", setup_says("{'mtuu': 1}"));
}

/* What is wrong with a line: "" when it is an order. */
static const char *order_says(const char *line)
{
	static struct failure f;
	struct order o;
	int ret = order_parse(line, &o, &f);

	order_free(&o);
	return ret ? f.got : "";
}

TEST(order_has_an_id_a_name_and_perhaps_a_scale)
{
	struct failure f;
	struct order o;

	EXPECT_EQ(order_parse("{\"id\": 7, \"order\": \"info\", \"scale\": 4, \"args\": {}}",
			      &o, &f), 0);
	EXPECT_EQ(json_integer_value(o.id), 7);
	EXPECT_STREQ(o.name, "info");
	EXPECT_REAL(o.scale, 4.0);
	order_free(&o);
	EXPECT_EQ(order_parse("{\"id\": \"a\", \"order\": \"info\"}", &o, &f), 0);
	EXPECT_REAL(o.scale, 1.0);
	EXPECT_EQ(json_typeof(o.args), JSON_OBJECT);
	order_free(&o);
}

TEST(order_that_is_none_is_refused)
{
	EXPECT_IN("xx", order_says("xx"));
	EXPECT_IN("an array", order_says("[1]"));
	EXPECT_IN("nothing", order_says("{\"order\": \"info\"}"));
	EXPECT_IN("nothing", order_says("{\"id\": 1}"));
	EXPECT_IN("an integer", order_says("{\"id\": 1, \"order\": 2}"));
	EXPECT_IN("0", order_says("{\"id\": 1, \"order\": \"info\", \"scale\": 0}"));
	EXPECT_IN("a string", order_says("{\"id\": 1, \"order\": \"info\", \"scale\": \"x\"}"));
	EXPECT_IN("1e+300", order_says("{\"id\": 1, \"order\": \"info\", \"scale\": 1e300}"));
	EXPECT_IN("an array", order_says("{\"id\": 1, \"order\": \"info\", \"args\": []}"));
}

static const char *pattern_says(int bytes, int block)
{
	return verb_says(&pattern_verb,
			 json_pack("{s:s, s:i, s:i}", "direction", "fabric-to-target",
				   "bytes", bytes, "block", block));
}

TEST(pattern_arguments_fit_together)
{
	EXPECT_STREQ(pattern_says(8192, 4096), "");
	EXPECT_STREQ(pattern_says(8191, 4096),
		     "argument \"bytes\": a multiple of \"block\" (4096)|8191");
	EXPECT_STREQ(pattern_says(8192, 1000), "argument \"block\": a multiple of 512|1000");
}

TEST(counter_that_shared_the_pmu_is_not_exact)
{
	struct perf_reading r = { .value = 7, .enabled_ns = 5, .running_ns = 5 };

	EXPECT_EQ(perf_reading_exact(&r), true);
	r.running_ns = 4;
	EXPECT_EQ(perf_reading_exact(&r), false);
	r = (struct perf_reading) { };
	EXPECT_EQ(perf_reading_exact(&r), false);
}

/* The answer for the values 1 to ios, which come in an order that is none */
static const char *latencies(u64 ios)
{
	static char text[128];
	s64 *ns = calloc(ios, sizeof(*ns));
	json_t *answer;

	/* 7919 is prime and no divisor of ios: each value once */
	for (u64 i = 0; i < ios; i++)
		ns[i] = i * 7919 % ios + 1;
	answer = latency_json(ns, ios);
	text[json_dumpb(answer, text, sizeof(text) - 1, 0)] = '\0';
	json_decref(answer);
	free(ns);
	return text;
}

#define TAIL(p50, p99, p999, max)	\
	"{\"p50\": " #p50 ", \"p99\": " #p99 ", \"p999\": " #p999 ", \"max\": " #max "}"

TEST(latencies_are_ranked_by_nearest_rank)
{
	EXPECT_STREQ(latencies(2), TAIL(1, null, null, 2));
	EXPECT_STREQ(latencies(3), TAIL(2, null, null, 3));
	EXPECT_STREQ(latencies(100), TAIL(50, 99, null, 100));
	EXPECT_STREQ(latencies(101), TAIL(51, 100, null, 101));
	EXPECT_STREQ(latencies(200), TAIL(100, 198, null, 200));
	EXPECT_STREQ(latencies(1000), TAIL(500, 990, 999, 1000));
	EXPECT_STREQ(latencies(1001), TAIL(501, 991, 1000, 1001));
	EXPECT_STREQ(latencies(2000), TAIL(1000, 1980, 1998, 2000));
}

TEST(latency_tail_of_too_few_values_is_null)
{
	EXPECT_STREQ(latencies(1), TAIL(1, null, null, 1));
	EXPECT_STREQ(latencies(99), TAIL(50, null, null, 99));
	EXPECT_STREQ(latencies(999), TAIL(500, 990, null, 999));
}

TEST(latencies_of_more_than_32_bits_are_in_order)
{
	s64 ns[] = { 1LL << 40, 3, 1LL << 32, 1LL << 41 };
	json_t *answer = latency_json(ns, ARRAY_SIZE(ns));

	EXPECT_EQ(json_integer_value(json_object_get(answer, "p50")), 1LL << 32);
	EXPECT_EQ(json_integer_value(json_object_get(answer, "max")), 1LL << 41);
	json_decref(answer);
}

#define ENTRY(test)	{ #test, test }

static const struct { const char *name; void (*run)(void); } tests[] = {
	ENTRY(stat_line_gives_requests_and_bytes),
	ENTRY(stat_lines_of_several_paths_add_up),
	ENTRY(stat_line_that_is_too_short_is_refused),
	ENTRY(zoneinfo_sums_the_device_zones_of_all_nodes),
	ENTRY(zoneinfo_without_zones_is_refused),
	ENTRY(deadline_is_scaled_and_never_negative),
	ENTRY(deadline_in_milliseconds_rounds_up),
	ENTRY(wait_ends_with_the_condition_or_the_deadline),
	ENTRY(pci_device_matches_by_ids),
	ENTRY(pci_device_matches_by_address),
	ENTRY(pci_names_that_are_none_are_refused),
	ENTRY(pattern_depends_on_place_and_seed),
	ENTRY(pattern_is_the_same_in_blocks_of_any_size),
	ENTRY(pattern_finds_every_single_wrong_byte),
	ENTRY(kmsg_record_becomes_a_line),
	ENTRY(setup_arguments_that_are_right_pass),
	ENTRY(setup_arguments_are_those_of_the_role),
	ENTRY(setup_arguments_that_are_wrong_are_named),
	ENTRY(order_has_an_id_a_name_and_perhaps_a_scale),
	ENTRY(order_that_is_none_is_refused),
	ENTRY(pattern_arguments_fit_together),
	ENTRY(counter_that_shared_the_pmu_is_not_exact),
	ENTRY(latencies_are_ranked_by_nearest_rank),
	ENTRY(latency_tail_of_too_few_values_is_null),
	ENTRY(latencies_of_more_than_32_bits_are_in_order),
};

int main(void)
{
	int failed_tests = 0;

	printf("1..%zu\n", ARRAY_SIZE(tests));
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
		failed_checks = 0;
		tests[i].run();
		printf("%s %zu %s\n", failed_checks ? "not ok" : "ok", i + 1,
		       tests[i].name);
		failed_tests += !!failed_checks;
	}
	return failed_tests ? 1 : 0;
}
