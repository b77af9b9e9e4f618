/* A forward-only GPT whose weights lie in flash, on a Cortex-M7 without an operating system. It writes eight tokens,
   the likeliest each time, and the bits of the last logit. The same file is a program of the host, whose output must be
   the same. */
#include "gpt.h"

#include <stdint.h>

static char memory[MEMORY_BYTES]; /* at least gpt_size(), which the test asks the host for */

#ifdef __arm__
/* Semihosting: the debugger, or QEMU, does what the number asks for. */
static void ask(int number, const void *argument) {
  register int r0 __asm__("r0") = number;
  register const void *r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}
static void print(const char *text) { ask(4, text); }
static void end(int code) {
  const uint32_t reason[2] = {0x20026, (uint32_t)code};
  ask(0x20, reason);
  for (;;) continue;
}

int main(void);
extern uint32_t data_start[], data_end[], data_image[], bss_start[], bss_end[], stack_top[];
void reset(void);
void reset(void) {
  *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20; /* the floating-point unit is on from here */
  __asm__ volatile("dsb; isb");
  for (uint32_t *to = data_start, *from = data_image; to < data_end;) *to++ = *from++;
  for (uint32_t *to = bss_start; to < bss_end;) *to++ = 0;
  end(main());
}
static void fault(void) { print("a fault of the processor\n"), end(1); }
__attribute__((section(".vectors"), used)) static void (*const vectors[])(void) = {
    (void (*)(void))(uintptr_t)stack_top, reset, fault, fault, fault, fault, fault};
#else
#include <stdio.h>
static void print(const char *text) { fputs(text, stdout); }
#endif

static void print_number(uint32_t number) {
  char digits[10] = "         ";
  for (int i = 7; i >= 0; i--, number >>= 4) digits[i] = "0123456789abcdef"[number & 15];
  print(digits);
}

int main(void) {
  struct gpt *m;
  if (gpt_place(&m, memory, sizeof memory) != GPT_OK) return print("no model\n"), 1;
  int32_t token = 1;
  for (int position = 0; position < 8; position++) {
    m->step.tokens[0] = token;
    m->step.position[0] = position;
    if (gpt_step(m, 1, position + 1) != GPT_OK) return print(gpt_message(m)), 1;
    token = 0;
    for (int32_t id = 1; id < GPT_VOCAB; id++)
      if (m->step.logits[id] > m->step.logits[token]) token = id;
    print_number((uint32_t)token);
  }
  union {
    float number;
    uint32_t bits;
  } last = {m->step.logits[GPT_VOCAB - 1]};
  print_number(last.bits);
  print("\n");
  return 0;
}
