/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest without a kernel, for the plugin: between the marks it executes a
 * known number of instructions of first and second, then ends QEMU.
 */
	.section .multiboot, "a"
	.long 0x1badb002, 0, -0x1badb002

	.text
	.globl _start, first, second, string, behind
_start:	/* below every function: what the plugin takes for user space */
	movl $7, %ecx
	call first			/* before the mark: not counted */
	.byte 0x0f, 0x1f, 0x84, 0x00
	.ascii "p2pB"
	movl $1000, %ecx
	call first
	.byte 0x0f, 0x1f, 0x84, 0x00
	.ascii "p2pE"
	.byte 0x0f, 0x1f, 0x84, 0x00
	.ascii "p2pB"
	movl $1, %ecx
	call second
	.byte 0x0f, 0x1f, 0x84, 0x00
	.ascii "p2pE"
	.byte 0x0f, 0x1f, 0x84, 0x00
	.ascii "p2pB"
	movl $100, %ecx
	movl $0x200000, %edi
	call string
	.byte 0x0f, 0x1f, 0x84, 0x00
	.ascii "p2pE"
	xorl %eax, %eax
	outb %al, $0xf4
	hlt

first:	/* runs on into second: one block of translated code, two functions */
	nop
	nop
	nop
second:
	nop
	decl %ecx
	jnz first
	ret
string:
	rep stosb
	ret
behind:
