/* Reports a crash in linked code with the names of functions. */
#define _GNU_SOURCE /* dladdr */
#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "codegen/jit/code_memory.h"

enum { MOST_FRAMES = 64, LINE_SIZE = 512 };

static const struct crash {
  int signal;
  const char *meaning;
} crashes[] = {
    {SIGSEGV, "an address that is not there"},
    {SIGBUS, "an address behind the end of a file, or a misaligned one"},
    {SIGFPE, "an integer divided by zero"},
    {SIGILL, "an instruction that this processor does not have"},
};
enum { CRASHES = sizeof crashes / sizeof *crashes };

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...) {
  char line[LINE_SIZE];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (length >= LINE_SIZE) length = LINE_SIZE - 1;
  if (length > 0 && write(STDERR_FILENO, line, (size_t)length) < 0) return;
}

/* The handler was reset when it was called (SA_RESETHAND), so after its return the instruction crashes again and ends
   the process. */
static void on_crash(int number, siginfo_t *info, void *context) {
  (void)context;
  /* no instruction raised the signal, so none would again: it came from another process, from abort and the like */
  if (info->si_code <= 0) {
    raise(number);
    return;
  }
  const char *meaning = "";
  for (int i = 0; i < CRASHES; i++)
    if (crashes[i].signal == number) meaning = crashes[i].meaning;
  say("lamella: internal error: the compiled program crashed: %s, %p; it was in\n", meaning, info->si_addr);
  void *frames[MOST_FRAMES];
  int count = backtrace(frames, MOST_FRAMES), shown = 0;
  for (int i = 1; i < count; i++) { /* frame 0 is this function */
    /* A return address may lie just past a function that never returns. The first frame is the crash itself, and its
       address is exact. */
    uintptr_t address = (uintptr_t)frames[i] - (shown > 0);
    size_t offset;
    Dl_info about;
    const char *name = code_function(address, &offset);
    if (name)
      say("  #%d %s + %zu\n", shown++, name, offset);
    else if (dladdr(frames[i], &about) && about.dli_sname && shown)
      say("  #%d %s (%s)\n", shown++, about.dli_sname, about.dli_fname);
    else if (dladdr(frames[i], &about) && about.dli_fname && shown)
      say("  #%d %p (%s)\n", shown++, frames[i], about.dli_fname);
  }
  say("Run again with -g under gdb to see the lines.\n");
}

void name_crashes(void) {
  void *frame;
  backtrace(&frame, 1); /* makes it load what it needs, which a signal handler must not do */
  static char stack[65536];
  stack_t place = {.ss_sp = stack, .ss_size = sizeof stack}, present;
  if (sigaltstack(NULL, &present) == 0 && present.ss_flags & SS_DISABLE) sigaltstack(&place, NULL);
  for (int i = 0; i < CRASHES; i++) {
    struct sigaction old,
        action = {.sa_sigaction = on_crash, .sa_flags = (int)(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND)};
    sigemptyset(&action.sa_mask);
    if (sigaction(crashes[i].signal, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
      sigaction(crashes[i].signal, &action, NULL);
  }
}

static void write_line(void *context, uintptr_t address, size_t size, const char *name) {
  fprintf(context, "%lx %zx %s\n", (unsigned long)address, size, name);
}

bool write_perf_map(void) {
  char path[64];
  snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)getpid());
  unlink(path); /* from an earlier process with this id; another user's file stays, and is not written into */
  int made = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
  FILE *file = made >= 0 ? fdopen(made, "w") : NULL;
  if (!file) return false;
  code_functions(write_line, file);
  return fclose(file) == 0;
}
