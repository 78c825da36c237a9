/* SPDX-License-Identifier: GPL-2.0 */
/* PCI devices, named by address or by vendor and device. */
#ifndef P2PAGENT_PCI_H
#define P2PAGENT_PCI_H

#include "lib/failure.h"
#include "lib/types.h"

#define PCI_NAME_LEN	16

struct pci_match {
	char address[PCI_NAME_LEN];	/* "": by the ids */
	unsigned int vendor;
	unsigned int device;
};

int pci_match_parse(const char *text, struct pci_match *m);
bool pci_match(const struct pci_match *m, const char *address,
	       unsigned int vendor, unsigned int device);

/* The one device that matches; none, or more than one, is a failure. */
int pci_find(const char *text, char address[PCI_NAME_LEN], struct failure *f);

#endif
