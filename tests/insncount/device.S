/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest that gives QEMU's device edu something to do, which a thread of its
 * own does, and looks at once whether that is done: QEMU ends with 1 if it is,
 * with 3 if the device is still at work.
 */
	.section .multiboot, "a"
	.long 0x1badb002, 0, -0x1badb002

	.equ BAR, 0xe0000000
	.equ FACTORIAL, 0x08
	.equ STATUS, 0x20		/* bit 0: computing */

	.macro configure reg, value	/* of the device in slot 4 */
	movl $(0x80000000 | 4 << 11 | \reg), %eax
	movw $0xcf8, %dx
	outl %eax, %dx
	movl $\value, %eax
	movw $0xcfc, %dx
	outl %eax, %dx
	.endm

	.text
	.globl _start, store, stored, behind
_start:
	configure 0x10, BAR
	configure 0x04, 2		/* answer to accesses of memory */
store:	movl $20000000, BAR + FACTORIAL
stored:	movl BAR + STATUS, %eax
	andl $1, %eax
	outb %al, $0xf4
	hlt
behind:
