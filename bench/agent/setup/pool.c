// SPDX-License-Identifier: GPL-2.0
/* The pool of peer memory of a PCI device, as the kernel publishes it. */
#include "lib/files.h"
#include "setup/pool.h"

int pool_read(const char *pci, struct pool *pool, struct failure *f)
{
	char path[PATH_MAX];

	expect(f, "pool", "a pool of peer memory of %s", pci);
	path_in(path, roots.sysfs, "bus/pci/devices/%s/p2pmem/size", pci);
	if (read_u64(path, &pool->size))
		return got(f, "no %s", path);
	path_in(path, roots.sysfs, "bus/pci/devices/%s/p2pmem/available", pci);
	if (read_u64(path, &pool->available))
		return got(f, "no %s", path);
	return 0;
}

json_t *pool_json(const struct pool *pool)
{
	if (!pool->size)
		return json_null();
	return json_pack("{s:I, s:I}", "size", (json_int_t)pool->size,
			 "available", (json_int_t)pool->available);
}
