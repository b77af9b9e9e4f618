/* Child processes that run programs and talk to this one over pipes. */
#define _GNU_SOURCE /* sched_setaffinity */
#include "driver/compare.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

volatile int compare_stopped;

static void note_signal(int signal) { compare_stopped = signal; }

void compare_catch_signals(void) {
  struct sigaction action = {.sa_handler = note_signal}, ignore = {.sa_handler = SIG_IGN};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGPIPE, &ignore, NULL);
}

int processors_allowed(void) {
  cpu_set_t allowed;
  return sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 1;
}

/* Pins the process to the last `threads` processors that it may use, since interrupts mostly go to the first. */
static void pin(int threads) {
  cpu_set_t allowed, chosen;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  CPU_ZERO(&chosen);
  for (int cpu = CPU_SETSIZE - 1; cpu >= 0 && threads > 0; cpu--)
    if (CPU_ISSET(cpu, &allowed)) {
      CPU_SET(cpu, &chosen);
      threads--;
    }
  sched_setaffinity(0, sizeof chosen, &chosen);
}

/* A value in /proc/PID/status, which has kibibytes, as bytes. */
static double status_bytes(pid_t pid, const char *key) {
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
  FILE *file = fopen(path, "r");
  double bytes = 0;
  while (file && fgets(line, sizeof line, file))
    if (!strncmp(line, key, strlen(key))) bytes = 1024 * strtod(line + strlen(key), NULL);
  if (file) fclose(file);
  return bytes;
}

/* Resets the peak of memory, which was the compiler's. */
static void reset_peak(void) {
  int file = open("/proc/self/clear_refs", O_WRONLY);
  if (file < 0) return;
  if (write(file, "5", 1) != 1) errno = 0; /* then the peak stays too high, which the report shows */
  close(file);
}

static int child_main(const struct child_work *work, int in, int out, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) return 1;
  struct sigaction usual = {.sa_handler = SIG_DFL}, ignore = {.sa_handler = SIG_IGN};
  sigaction(SIGINT, &ignore, NULL); /* the parent ends it */
  sigaction(SIGTERM, &usual, NULL);
  sigaction(SIGPIPE, &usual, NULL);
  int errors = open(work->errors, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 || errors < 0 || dup2(errors, STDERR_FILENO) < 0)
    return 1;
  close(in), close(out), close(errors);
  pin(work->threads);
  /* A built program sets this by starting itself again (runtime/main.c); here that would start the compiler. */
  setenv("KMP_BLOCKTIME", "100us", 0);
  return work->run(work->context);
}

bool child_start(struct child *child, const struct child_work *work, double patience) {
  int down[2], up[2];
  *child = (struct child){0};
  if (pipe2(down, O_CLOEXEC) != 0) return false;
  if (pipe2(up, O_CLOEXEC) != 0) {
    close(down[0]), close(down[1]);
    return false;
  }
  fflush(NULL);
  pid_t parent = getpid();
  child->pid = fork();
  if (child->pid == 0) {
    close(down[1]), close(up[0]);
    int code = child_main(work, down[0], up[1], parent);
    fflush(NULL);
    _exit(code);
  }
  close(down[0]), close(up[1]);
  child->to = down[1], child->from = up[0];
  if (child->pid < 0) {
    child->pid = 0;
    close(child->to), close(child->from);
    return false;
  }
  for (const char *line; (line = child_hear(child, patience)) != NULL;) {
    if (sscanf(line, "memory %lf", &child->memory_before) == 1) continue;
    return sscanf(line, "ready %lf %15s", &child->units, child->unit) == 2;
  }
  return false;
}

bool child_tell(struct child *child, const char *line) {
  char text[4200];
  int length = snprintf(text, sizeof text, "%s\n", line);
  return child->pid && write(child->to, text, (size_t)length) == length;
}

const char *child_hear(struct child *child, double patience) {
  double until = seconds_now() + patience;
  for (;;) {
    char *newline = memchr(child->buffer + child->begin, '\n', (size_t)(child->end - child->begin));
    if (newline) {
      const char *line = child->buffer + child->begin;
      *newline = 0;
      child->begin = (int)(newline - child->buffer) + 1;
      return line;
    }
    memmove(child->buffer, child->buffer + child->begin, (size_t)(child->end - child->begin));
    child->end -= child->begin;
    child->begin = 0;
    double left = until - seconds_now();
    child->is_late = left <= 0;
    if (compare_stopped || left <= 0 || child->end == sizeof child->buffer) return NULL;
    struct pollfd wait = {.fd = child->from, .events = POLLIN};
    int ready = poll(&wait, 1, left > 0.2 ? 200 : (int)(left * 1000) + 1);
    if (ready <= 0) continue;
    ssize_t got = read(child->from, child->buffer + child->end, sizeof child->buffer - (size_t)child->end);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return NULL;
    child->end += (int)got;
  }
}

double child_memory(const struct child *child) {
  double most = status_bytes(child->pid, "VmHWM:") - child->memory_before;
  return most > 0 ? most : 0;
}

void child_end(struct child *child) {
  if (!child->pid) return;
  kill(child->pid, SIGKILL);
  while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR) continue;
  close(child->to), close(child->from);
  child->pid = 0;
}

void child_report_memory(void) {
  malloc_trim(0); /* memory that the compiler freed would count as the program's */
  reset_peak();
  printf("memory %.0f\n", status_bytes(getpid(), "VmRSS:"));
  fflush(stdout);
}
