// SPDX-License-Identifier: GPL-2.0
/*
 * Makes the memory BAR of any PCI device peer-to-peer memory.
 *
 * The driver matches no device by itself: write its name to the device's
 * driver_override, then bind. What registering the memory cost, in time and in
 * free pages, is left in the device's p2p_provider attributes; what the last
 * removal took, in the module's parameters. Free pages are exact: those in the
 * lists of the CPUs are counted too.
 */

#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pci-p2pdma.h>
#include <linux/vmstat.h>

static unsigned int bar;
module_param(bar, uint, 0444);
MODULE_PARM_DESC(bar, "BAR that holds the memory (0 to 5)");

static unsigned long long offset;
module_param(offset, ullong, 0444);
MODULE_PARM_DESC(offset, "where the memory begins in the BAR, in bytes, a multiple of the page size");

static unsigned long long size;
module_param(size, ullong, 0444);
MODULE_PARM_DESC(size, "length of the memory in bytes, a multiple of the page size (0: to the BAR's end)");

static unsigned long long remove_ns;
module_param(remove_ns, ullong, 0444);
MODULE_PARM_DESC(remove_ns, "what the last removal took (read-only)");

static unsigned long remove_free_pages_before;
module_param(remove_free_pages_before, ulong, 0444);
MODULE_PARM_DESC(remove_free_pages_before, "free pages before the last removal (read-only)");

static unsigned long remove_free_pages_after;
module_param(remove_free_pages_after, ulong, 0444);
MODULE_PARM_DESC(remove_free_pages_after, "free pages after the last removal (read-only)");

struct p2p_provider {
	u64 register_ns;
	unsigned long free_pages_before;
	unsigned long free_pages_after;
	u64 size;
	u64 granule;			/* what the pool allocates at least */
	unsigned long page_tables;	/* pages that map this memory alone */
	u64 removal_began;
};

/* Without what the CPUs have taken to lists of their own, but not given out. */
static unsigned long zone_free_pages(struct zone *zone)
{
	unsigned long pages = zone_page_state_snapshot(zone, NR_FREE_PAGES);
	int cpu;

	for_each_online_cpu(cpu)
		pages += READ_ONCE(per_cpu_ptr(zone->per_cpu_pageset, cpu)->count);
	return pages;
}

static unsigned long free_pages_now(void)
{
	unsigned long pages = 0;
	struct zone *zone;
	int nid;

	for_each_online_node(nid)
		for (zone = NODE_DATA(nid)->node_zones;
		     zone < NODE_DATA(nid)->node_zones + MAX_NR_ZONES; zone++)
			if (populated_zone(zone))
				pages += zone_free_pages(zone);
	return pages;
}

#ifdef CONFIG_X86_64
/* Page-table pages that map nothing else: whose whole reach is in the range. */
static unsigned long own_page_tables(unsigned long start, u64 size)
{
	unsigned long addr, next, tables = 0, end = start + size;
	unsigned int level;

	for (addr = ALIGN(start, PMD_SIZE); addr + PMD_SIZE <= end; addr = next) {
		next = addr + PMD_SIZE;
		if (!lookup_address(addr, &level))
			continue;
		if (level == PG_LEVEL_1G) {
			next = ALIGN(next, PUD_SIZE);
			continue;
		}
		if (IS_ALIGNED(addr, PUD_SIZE) && addr + PUD_SIZE <= end)
			tables++;
		if (level == PG_LEVEL_4K)
			tables++;
	}
	return tables;
}
#else
static unsigned long own_page_tables(unsigned long start, u64 size)
{
	return 0;
}
#endif

/* Two small allocations from the unused pool: where it begins, and how far apart they are. */
static void p2p_provider_look(struct pci_dev *pdev, struct p2p_provider *p)
{
	void *first = pci_alloc_p2pmem(pdev, 1);
	void *second = pci_alloc_p2pmem(pdev, 1);

	if (first && second > first)
		p->granule = second - first;
	if (first)
		p->page_tables = own_page_tables((unsigned long)first, p->size);
	if (second)
		pci_free_p2pmem(pdev, second, 1);
	if (first)
		pci_free_p2pmem(pdev, first, 1);
}

/* The device's resources are released from the last to the first: this one first, */
static void p2p_provider_removing(void *data)
{
	struct p2p_provider *p = data;

	remove_free_pages_before = free_pages_now();
	p->removal_began = ktime_get_ns();
}

/* then those of the peer memory, and then this one. */
static void p2p_provider_removed(void *data)
{
	struct p2p_provider *p = data;

	if (!p->removal_began)
		return;
	remove_ns = ktime_get_ns() - p->removal_began;
	remove_free_pages_after = free_pages_now();
}

/* Returns the length to register, or 0 with *error set */
static u64 p2p_provider_range(struct pci_dev *pdev, int *error)
{
	u64 len, want;

	*error = -EINVAL;
	if (bar >= PCI_STD_NUM_BARS) {
		dev_err_probe(&pdev->dev, *error, "bar=%u: expected 0 to %d\n",
			      bar, PCI_STD_NUM_BARS - 1);
		return 0;
	}
	len = pci_resource_len(pdev, bar);
	if (!(pci_resource_flags(pdev, bar) & IORESOURCE_MEM) || !len) {
		dev_err_probe(&pdev->dev, *error, "bar=%u: no memory BAR\n",
			      bar);
		return 0;
	}
	if (!PAGE_ALIGNED(offset) || offset >= len) {
		dev_err_probe(&pdev->dev, *error,
			      "offset=%#llx: expected whole pages, below the BAR's %#llx\n",
			      offset, len);
		return 0;
	}
	want = size ? size : len - offset;
	if (!PAGE_ALIGNED(want) || want > len - offset) {
		dev_err_probe(&pdev->dev, *error,
			      "size=%#llx: expected whole pages, at most %#llx\n",
			      want, len - offset);
		return 0;
	}
	*error = 0;
	return want;
}

static int p2p_provider_register(struct pci_dev *pdev, struct p2p_provider *p)
{
	u64 start;
	int ret;

	ret = devm_add_action(&pdev->dev, p2p_provider_removed, p);
	if (ret)
		return ret;

	p->free_pages_before = free_pages_now();
	start = ktime_get_ns();
	ret = pci_p2pdma_add_resource(pdev, bar, p->size, offset);
	p->register_ns = ktime_get_ns() - start;
	p->free_pages_after = free_pages_now();
	if (ret)
		return ret;

	p2p_provider_look(pdev, p);
	return devm_add_action(&pdev->dev, p2p_provider_removing, p);
}

static int p2p_provider_probe(struct pci_dev *pdev,
			      const struct pci_device_id *id)
{
	struct p2p_provider *p;
	int ret;

	p = devm_kzalloc(&pdev->dev, sizeof(*p), GFP_KERNEL);
	if (!p)
		return -ENOMEM;

	p->size = p2p_provider_range(pdev, &ret);
	if (ret)
		return ret;

	ret = pcim_enable_device(pdev);
	if (ret)
		return dev_err_probe(&pdev->dev, ret, "cannot be enabled\n");

	/* Not while another driver has it; given back with the device. */
	ret = pci_request_region(pdev, bar, KBUILD_MODNAME);
	if (ret)
		return dev_err_probe(&pdev->dev, ret, "BAR %u is in use\n", bar);

	ret = p2p_provider_register(pdev, p);
	if (ret)
		return dev_err_probe(&pdev->dev, ret,
				     "BAR %u cannot be registered (offset %#llx, size %#llx)\n",
				     bar, offset, p->size);

	pci_set_drvdata(pdev, p);
	pci_p2pmem_publish(pdev, true);
	return 0;
}

static ssize_t register_ns_show(struct device *dev,
				struct device_attribute *attr, char *buf)
{
	struct p2p_provider *p = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%llu\n", p->register_ns);
}
static DEVICE_ATTR_RO(register_ns);

static ssize_t free_pages_before_show(struct device *dev,
				      struct device_attribute *attr, char *buf)
{
	struct p2p_provider *p = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%lu\n", p->free_pages_before);
}
static DEVICE_ATTR_RO(free_pages_before);

static ssize_t free_pages_after_show(struct device *dev,
				     struct device_attribute *attr, char *buf)
{
	struct p2p_provider *p = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%lu\n", p->free_pages_after);
}
static DEVICE_ATTR_RO(free_pages_after);

static ssize_t granule_show(struct device *dev, struct device_attribute *attr,
			    char *buf)
{
	struct p2p_provider *p = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%llu\n", p->granule);
}
static DEVICE_ATTR_RO(granule);

static ssize_t page_tables_show(struct device *dev,
				struct device_attribute *attr, char *buf)
{
	struct p2p_provider *p = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%lu\n", p->page_tables);
}
static DEVICE_ATTR_RO(page_tables);

static ssize_t bar_show(struct device *dev, struct device_attribute *attr,
			char *buf)
{
	return sysfs_emit(buf, "%u\n", bar);
}
static DEVICE_ATTR_RO(bar);

static ssize_t offset_show(struct device *dev, struct device_attribute *attr,
			   char *buf)
{
	return sysfs_emit(buf, "%llu\n", offset);
}
static DEVICE_ATTR_RO(offset);

static ssize_t size_show(struct device *dev, struct device_attribute *attr,
			 char *buf)
{
	struct p2p_provider *p = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%llu\n", p->size);
}
static DEVICE_ATTR_RO(size);

static struct attribute *p2p_provider_attrs[] = {
	&dev_attr_register_ns.attr,
	&dev_attr_free_pages_before.attr,
	&dev_attr_free_pages_after.attr,
	&dev_attr_granule.attr,
	&dev_attr_page_tables.attr,
	&dev_attr_bar.attr,
	&dev_attr_offset.attr,
	&dev_attr_size.attr,
	NULL,
};

static const struct attribute_group p2p_provider_group = {
	.name = "p2p_provider",
	.attrs = p2p_provider_attrs,
};

static const struct attribute_group *p2p_provider_groups[] = {
	&p2p_provider_group,
	NULL,
};

/* Empty: devices come by driver_override or new_id only */
static const struct pci_device_id p2p_provider_ids[] = {
	{ },
};

static struct pci_driver p2p_provider_driver = {
	.name = "p2p_provider",
	.id_table = p2p_provider_ids,
	.probe = p2p_provider_probe,
	.dev_groups = p2p_provider_groups,
};
module_pci_driver(p2p_provider_driver);

MODULE_DESCRIPTION("Registers a PCI device's BAR as peer-to-peer memory");
MODULE_LICENSE("GPL");
