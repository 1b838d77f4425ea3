/* `true`, and nothing else: it ends before a C library or a linker could do anything, for they take ten times as long
 * as all that is to be measured. */

void _start(void) {
#if defined(__x86_64__)
  __asm__ volatile("mov $231, %eax\n xor %edi, %edi\n syscall");
#elif defined(__aarch64__)
  __asm__ volatile("mov x8, #94\n mov x0, #0\n svc #0");
#else
#error "exit_group, in this processor's words"
#endif
}
