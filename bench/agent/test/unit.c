// SPDX-License-Identifier: GPL-2.0
/* Unit tests of the pure parts, as TAP. */
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
#define CHECK(condition)	check(condition, #condition, __LINE__)

static int failed_checks;

static void check(bool holds, const char *text, int line)
{
	if (holds)
		return;
	printf("# line %d: %s\n", line, text);
	failed_checks++;
}

TEST(stat_line_gives_requests_and_bytes)
{
	struct io_stat io = { };

	CHECK(!io_stat_parse("   100   7   1600   55   20   3   320   11   2   60   66   0 0",
			     &io));
	CHECK(io.reads == 100);
	CHECK(io.read_bytes == 1600 * 512);
	CHECK(io.writes == 20);
	CHECK(io.write_bytes == 320 * 512);
	CHECK(io.in_flight == 2);
}

TEST(stat_lines_of_several_paths_add_up)
{
	struct io_stat io = { };

	CHECK(!io_stat_parse("1 0 8 0 2 0 16 0 0 0 0", &io));
	CHECK(!io_stat_parse("10 0 80 0 20 0 160 0 0 0 0", &io));
	CHECK(io.reads == 11 && io.read_bytes == 88 * 512);
	CHECK(io.writes == 22 && io.write_bytes == 176 * 512);
}

TEST(stat_line_that_is_too_short_is_refused)
{
	struct io_stat io = { };

	CHECK(io_stat_parse("1 0 8 0 2", &io));
	CHECK(io_stat_parse("", &io));
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

	CHECK(!zoneinfo_parse(zoneinfo, &z));
	CHECK(z.free_pages == 203840);
	CHECK(z.device_spanned == 81920);
	CHECK(z.device_present == 9);
	CHECK(z.device_managed == 6);
}

TEST(zoneinfo_without_zones_is_refused)
{
	struct zones z;

	CHECK(zoneinfo_parse("", &z));
	CHECK(zoneinfo_parse("pages free 7\n", &z));
}

TEST(deadline_is_scaled_and_never_negative)
{
	struct deadline d;

	deadline_scale = 2.5;
	d = deadline_at(1000, 2);
	deadline_scale = 1;
	CHECK(d.seconds == 5.0);
	CHECK(d.end_ns == 5000001000LL);
	CHECK(deadline_left_ns(&d, 1000) == 5000000000LL);
	CHECK(deadline_left_ns(&d, d.end_ns) == 0);
	CHECK(deadline_left_ns(&d, d.end_ns + 7) == 0);
}

TEST(deadline_in_milliseconds_rounds_up)
{
	struct deadline d = deadline_at(0, 1);

	CHECK(deadline_poll_ms(&d, 0, 5000) == 1000);
	CHECK(deadline_poll_ms(&d, 0, 20) == 20);
	CHECK(deadline_poll_ms(&d, 999999999LL, 20) == 1);
	CHECK(deadline_poll_ms(&d, 1000000000LL, 20) == 0);
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

	CHECK(!wait_until(third_time, &calls, 10, &f));
	CHECK(calls == 3);
	calls = 0;
	expect(&f, "step", "a miracle");
	CHECK(wait_until(never, &calls, 0.05, &f) == -1);
	CHECK(calls >= 2);
	CHECK(!strcmp(f.expected, "a miracle"));
	CHECK(!strncmp(f.got, "not within 0.", 13));
}

TEST(pci_device_matches_by_ids)
{
	struct pci_match m;

	CHECK(!pci_match_parse("1af4:1110", &m));
	CHECK(pci_match(&m, "0000:05:00.0", 0x1af4, 0x1110));
	CHECK(!pci_match(&m, "0000:05:00.0", 0x1af4, 0x1111));
	CHECK(!pci_match(&m, "0000:05:00.0", 0x1af5, 0x1110));
}

TEST(pci_device_matches_by_address)
{
	struct pci_match m;

	CHECK(!pci_match_parse("0000:05:00.0", &m));
	CHECK(pci_match(&m, "0000:05:00.0", 0, 0));
	CHECK(!pci_match(&m, "0000:05:00.1", 0, 0));
	CHECK(!pci_match_parse("0000:0A:1f.7", &m));
	CHECK(pci_match(&m, "0000:0a:1f.7", 0, 0));
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
		if (!pci_match_parse(names[i], &m))
			check(false, names[i], __LINE__);
}

TEST(pattern_depends_on_place_and_seed)
{
	u64 a[512], b[512];

	pattern_fill(a, sizeof(a), 1, 0);
	pattern_fill(b, sizeof(b), 1, 0);
	CHECK(!memcmp(a, b, sizeof(a)));
	pattern_fill(b, sizeof(b), 1, sizeof(a));
	CHECK(memcmp(a, b, sizeof(a)));
	CHECK(pattern_differs(b, sizeof(b), 1, 0) < 8);
	pattern_fill(b, sizeof(b), 2, 0);
	CHECK(pattern_differs(b, sizeof(b), 1, 0) < 8);
	for (size_t i = 1; i < ARRAY_SIZE(a); i++)
		CHECK(a[i] != a[i - 1]);
}

TEST(pattern_is_the_same_in_blocks_of_any_size)
{
	unsigned char whole[4096], parts[4096];

	pattern_fill(whole, sizeof(whole), 9, 65536);
	for (size_t at = 0; at < sizeof(parts); at += 512)
		pattern_fill(parts + at, 512, 9, 65536 + at);
	CHECK(!memcmp(whole, parts, sizeof(whole)));
}

TEST(pattern_finds_every_single_wrong_byte)
{
	unsigned char buf[512];

	pattern_fill(buf, sizeof(buf), 3, 8192);
	CHECK(pattern_differs(buf, sizeof(buf), 3, 8192) == sizeof(buf));
	for (size_t at = 0; at < sizeof(buf); at++) {
		buf[at] ^= 0x10;
		CHECK(pattern_differs(buf, sizeof(buf), 3, 8192) == at);
		buf[at] ^= 0x10;
	}
}

TEST(kmsg_record_becomes_a_line)
{
	char line[128];

	CHECK(!kmsg_format("6,339,5140900,-;NET: Registered\n SUBSYSTEM=x\n",
			   line, sizeof(line)));
	CHECK(!strcmp(line, "[    5.140900] <6> NET: Registered"));
	CHECK(!kmsg_format("30,1,123456789012,-;x;y\n", line, sizeof(line)));
	CHECK(!strcmp(line, "[123456.789012] <6> x;y"));
	CHECK(kmsg_format("no record", line, sizeof(line)));
}

/* What a verb says to arguments: "" when they are right. */
static const char *verb_says(const struct verb *verb, const char *args)
{
	static char text[sizeof(struct failure)];
	void *decoded = calloc(1, verb->args_size);
	json_t *json = json_loads(args, 0, NULL);
	struct failure f;

	text[0] = '\0';
	if (args_decode(verb->args, json, decoded, &f) ||
	    verb->check(decoded, &f))
		snprintf(text, sizeof(text), "%s|%s", f.expected, f.got);
	json_decref(json);
	free(decoded);
	return text;
}

static const char *setup_says(const char *args)
{
	return verb_says(&setup_verb, args);
}

static bool setup_refuses(const char *args, const char *expected,
			  const char *got)
{
	char want[256];
	const char *says = setup_says(args);

	snprintf(want, sizeof(want), "%s|%s", expected, got);
	if (strcmp(says, want))
		printf("# wanted: %s\n# says:   %s\n", want, says);
	return !strcmp(says, want);
}

TEST(setup_arguments_that_are_right_pass)
{
	CHECK(!setup_says("{\"provider\": \"host\"}")[0]);
	CHECK(!setup_says("{\"provider\": \"host\", \"bar\": null}")[0]);
	CHECK(!setup_says("{\"provider\": \"bar\", \"bar\": {\"pci\": \"1af4:1110\"}}")[0]);
	CHECK(!setup_says("{\"provider\": \"cmb\", \"nvme_serial\": \"\", \"mtu\": 9000}")[0]);
	CHECK(!setup_says("{\"provider\": \"cmb\", \"addr\": \"fd00::1/64\", \"svc\": 4421}")[0]);
}

TEST(setup_arguments_that_are_wrong_are_named)
{
	CHECK(setup_refuses("{}", "argument \"provider\"", "none of that name"));
	CHECK(setup_refuses("{\"provider\": 1}", "argument \"provider\": a string", "an integer"));
	CHECK(setup_refuses("{\"provider\": \"cmbb\"}",
			    "argument \"provider\": host|cmb|bar", "\"cmbb\""));
	CHECK(setup_refuses("{\"provider\": \"cm\"}",
			    "argument \"provider\": host|cmb|bar", "\"cm\""));
	CHECK(setup_refuses("{\"provider\": \"bar\"}",
			    "argument \"bar\" with provider \"bar\"", "none of that name"));
	CHECK(setup_refuses("{\"provider\": \"bar\", \"bar\": {\"pci\": \"x\"}}",
			    "argument \"pci\": VENDOR:DEVICE or DOMAIN:BUS:SLOT.FN", "\"x\""));
	CHECK(setup_refuses("{\"provider\": \"bar\", \"bar\": {\"pci\": \"1:1\", \"bar\": 6}}",
			    "argument \"bar\": an integer from 0 to 5", "6"));
	CHECK(setup_refuses("{\"provider\": \"bar\", \"bar\": {\"pci\": \"1:1\", \"size\": -1}}",
			    "argument \"size\": an integer from 0 on", "-1"));
	CHECK(setup_refuses("{\"provider\": \"host\", \"mtu\": 1.5}",
			    "argument \"mtu\": an integer from 256 to 65535", "a real number"));
	CHECK(setup_refuses("{\"provider\": \"host\", \"nqn\": \"../x\"}",
			    "argument \"nqn\": 1 to 223 bytes, no slash", "\"../x\""));
	CHECK(setup_refuses("{\"provider\": \"host\", \"addr\": \"192.168.77.1\"}",
			    "argument \"addr\": ADDRESS/PREFIX", "\"192.168.77.1\""));
	CHECK(setup_refuses("{\"provider\": \"host\", \"addr\": \"x/24\"}",
			    "argument \"addr\": ADDRESS/PREFIX", "\"x/24\""));
	CHECK(strstr(setup_says("{\"provider\": \"host\", \"mtuu\": 1}"), "|\"mtuu\""));
}

static bool order_refused(const char *line, const char *got)
{
	struct failure f = { };
	struct order o;
	int ret = order_parse(line, &o, &f);

	order_free(&o);
	return ret && strstr(f.got, got) && !strcmp(f.step, "order");
}

TEST(order_has_an_id_a_name_and_perhaps_a_scale)
{
	struct failure f;
	struct order o;

	CHECK(!order_parse("{\"id\": 7, \"order\": \"info\", \"scale\": 4, \"args\": {}}", &o, &f));
	CHECK(json_integer_value(o.id) == 7);
	CHECK(!strcmp(o.name, "info"));
	CHECK(o.scale == 4.0);
	order_free(&o);
	CHECK(!order_parse("{\"id\": \"a\", \"order\": \"info\"}", &o, &f));
	CHECK(o.scale == 1.0);
	CHECK(json_is_object(o.args));
	order_free(&o);
}

TEST(order_that_is_none_is_refused)
{
	CHECK(order_refused("xx", "xx"));
	CHECK(order_refused("[1]", "an array"));
	CHECK(order_refused("{\"order\": \"info\"}", "nothing"));
	CHECK(order_refused("{\"id\": 1}", "nothing"));
	CHECK(order_refused("{\"id\": 1, \"order\": 2}", "an integer"));
	CHECK(order_refused("{\"id\": 1, \"order\": \"info\", \"scale\": 0}", "0"));
	CHECK(order_refused("{\"id\": 1, \"order\": \"info\", \"scale\": \"x\"}", "a string"));
	CHECK(order_refused("{\"id\": 1, \"order\": \"info\", \"scale\": 1e300}", "1e+300"));
	CHECK(order_refused("{\"id\": 1, \"order\": \"info\", \"args\": []}", "an array"));
}

static const char *pattern_says(int bytes, int block)
{
	char args[128];

	snprintf(args, sizeof(args),
		 "{\"direction\": \"fabric-to-target\", \"bytes\": %d, \"block\": %d}",
		 bytes, block);
	return verb_says(&pattern_verb, args);
}

TEST(pattern_arguments_fit_together)
{
	CHECK(!pattern_says(8192, 4096)[0]);
	CHECK(strstr(pattern_says(8191, 4096), "|8191"));
	CHECK(strstr(pattern_says(8192, 1000), "|1000"));
}

TEST(counter_that_shared_the_pmu_is_not_exact)
{
	struct perf_reading r = { .value = 7, .enabled_ns = 5, .running_ns = 5 };

	CHECK(perf_reading_exact(&r));
	r.running_ns = 4;
	CHECK(!perf_reading_exact(&r));
	r = (struct perf_reading) { };
	CHECK(!perf_reading_exact(&r));
}

/* The answer for the values 1 to ios in an order that is none; -1: null */
static bool latencies_are(u64 ios, s64 p50, s64 p99, s64 p999, s64 max)
{
	static const char *const names[] = { "p50", "p99", "p999", "max" };
	const s64 wanted[] = { p50, p99, p999, max };
	s64 *ns = calloc(ios, sizeof(*ns));
	json_t *answer;
	bool right;

	/* 7919 is prime and no divisor of ios: each value once */
	for (u64 i = 0; i < ios; i++)
		ns[i] = i * 7919 % ios + 1;
	answer = latency_json(ns, ios);
	right = json_object_size(answer) == ARRAY_SIZE(names);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		json_t *value = json_object_get(answer, names[i]);

		right &= wanted[i] < 0 ? json_is_null(value) :
			 json_is_integer(value) &&
			 json_integer_value(value) == wanted[i];
	}
	json_decref(answer);
	free(ns);
	return right;
}

TEST(latencies_are_ranked_by_nearest_rank)
{
	CHECK(latencies_are(2, 1, -1, -1, 2));
	CHECK(latencies_are(3, 2, -1, -1, 3));
	CHECK(latencies_are(100, 50, 99, -1, 100));
	CHECK(latencies_are(101, 51, 100, -1, 101));
	CHECK(latencies_are(200, 100, 198, -1, 200));
	CHECK(latencies_are(1000, 500, 990, 999, 1000));
	CHECK(latencies_are(1001, 501, 991, 1000, 1001));
	CHECK(latencies_are(2000, 1000, 1980, 1998, 2000));
}

TEST(latency_tail_of_too_few_values_is_null)
{
	CHECK(latencies_are(1, 1, -1, -1, 1));
	CHECK(latencies_are(99, 50, -1, -1, 99));
	CHECK(latencies_are(999, 500, 990, -1, 999));
}

TEST(latencies_of_more_than_32_bits_are_in_order)
{
	s64 ns[] = { 1LL << 40, 3, 1LL << 32, 1LL << 41 };
	json_t *answer = latency_json(ns, ARRAY_SIZE(ns));

	CHECK(json_integer_value(json_object_get(answer, "p50")) == 1LL << 32);
	CHECK(json_integer_value(json_object_get(answer, "max")) == 1LL << 41);
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
