// SPDX-License-Identifier: GPL-2.0
/* PCI devices, named by address or by vendor and device. */
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "lib/files.h"
#include "setup/pci.h"

int pci_match_parse(const char *text, struct pci_match *m)
{
	unsigned int domain, bus, slot, fn;
	int end = 0;

	*m = (struct pci_match) { };
	if (sscanf(text, "%4x:%2x:%2x.%1x%n", &domain, &bus, &slot, &fn,
		   &end) == 4 && !text[end] && slot < 32 && fn < 8) {
		snprintf(m->address, sizeof(m->address), "%04x:%02x:%02x.%x",
			 domain & 0xffff, bus & 0xff, slot & 0x1f, fn & 7);
		return 0;
	}
	end = 0;
	if (sscanf(text, "%4x:%4x%n", &m->vendor, &m->device, &end) == 2 &&
	    end == 9 && !text[end])
		return 0;
	return -EINVAL;
}

bool pci_match(const struct pci_match *m, const char *address,
	       unsigned int vendor, unsigned int device)
{
	if (m->address[0])
		return !strcmp(m->address, address);
	return m->vendor == vendor && m->device == device;
}

int pci_find(const char *text, char address[PCI_NAME_LEN], struct failure *f)
{
	char path[PATH_MAX];
	struct pci_match m;
	unsigned int matches = 0;
	glob_t g;

	expect(f, "find the BAR device", "one PCI device %s", text);
	if (pci_match_parse(text, &m))
		return got(f, "no address and no ids");
	path_in(path, roots.sysfs, "bus/pci/devices/*");
	if (glob(path, 0, NULL, &g))
		return got(f, "no PCI device at all in %s", path);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		const char *name = strrchr(g.gl_pathv[i], '/') + 1;
		u64 vendor, device;

		read_u64(path_in(path, g.gl_pathv[i], "vendor"), &vendor);
		read_u64(path_in(path, g.gl_pathv[i], "device"), &device);
		if (pci_match(&m, name, vendor, device) && !matches++)
			snprintf(address, PCI_NAME_LEN, "%s", name);
	}
	globfree(&g);
	if (matches > 1)
		return got(f, "%u of them: give the address", matches);
	return matches ? 0 : got(f, "none");
}
