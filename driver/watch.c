/* lamella run --watch SPEC train ...: whenever the spec is saved, it is compiled in a process of its own while training goes on. Once
   the new program has everything ready it says so and waits; the running one is asked to leave off, and does so after its step, with
   a checkpoint; and the new one goes on from it (runtime/handover.c). An error, of the spec or of data that it names, ends the new
   process alone. A process for each version means that nothing of an old one can be left behind. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "driver/spec_code.h"
#include "driver/watch.h"

enum { LOOK_MILLISECONDS = 50, HANDED_OVER = 75, INTERRUPTED = 130 };

/* Where a program goes on from: orders to it (runtime.h has the same letters). */
enum order { ORDER_BEGIN = 'b', ORDER_TAKE_OVER = 't', ORDER_GO_ON = 'g' };

/* A version of the program on its way, or running. */
struct version {
  pid_t pid; /* 0: none */
  int orders, reports, messages; /* pipes, until it runs */
  bool ready, begins; /* begins: with the arguments that say where from */
  char *report, *message; /* what came through the pipes */
  uint64_t print; /* running: of the files that it was made from; 0: unknown */
};

struct watch {
  struct options *options;
  struct watch_list files;
  uint64_t seen;   /* the files as they were when last looked at; a change counts when it stays for two looks */
  uint64_t wanted; /* as they were when something was done about them */
  struct version running, next;
  enum order order; /* how the next one will begin */
  bool finished; /* the running one reached its end while the next was on its way */
};

static volatile sig_atomic_t asked, suspended;

static void take_signal(int signal) {
  if (signal == SIGTSTP) suspended = 1;
  else asked = signal;
}

static void handle_signals(void (*handler)(int)) {
  struct sigaction action = {.sa_handler = handler};
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGTSTP, &action, NULL);
}

static void say(const struct watch *watch, const char *text) {
  if (isatty(STDERR_FILENO)) fputs("\r\033[K", stderr); /* over the line of progress */
  fprintf(stderr, "lamella: %s: %s\n", watch->options->spec, text);
}

/* --- One version ------------------------------------------------------------------------------------------------------------------ */

/* In the new process: compiles, and becomes the program. */
static _Noreturn void become(struct options *options, const struct version *version, int orders, int reports, int messages) {
#ifdef __linux__
  prctl(PR_SET_PDEATHSIG, SIGTERM);
#endif
  setpgid(0, 0); /* a Ctrl-C is for the process that watches, which passes it on */
  handle_signals(SIG_DFL);
  int terminal = dup(STDERR_FILENO);
  dup2(messages, STDERR_FILENO);
  close(messages);
  struct spec_code code;
  bool done = spec_code_load(options, &code);
  for (int i = 0; i < options->files.count; i++) dprintf(reports, "file %s\n", options->files.items[i].path);
  if (!done) exit(EXIT_WRONG_INPUT);
  char **arguments = arena_new_array(options->arena, char *, options->rest_count + 2);
  int count = 0;
  arguments[count++] = arena_format(options->arena, "lamella run %s", options->spec);
  for (int i = 0; i < options->rest_count; i++) {
    char *argument = options->rest[i];
    bool init = !strncmp(argument, "--init", 6) && (!argument[6] || argument[6] == '=');
    if (!version->begins && (init || !strcmp(argument, "--resume"))) i += init && !argument[6];
    else arguments[count++] = argument;
  }
  setenv("LAMELLA_HANDOVER", arena_format(options->arena, "%d:%d:%d", orders, reports, terminal), 1);
  exit(code.main(count, arguments));
}

static void close_pipes(struct version *version) {
  int *const ends[] = {&version->orders, &version->reports, &version->messages};
  for (int i = 0; i < 3; i++) {
    if (*ends[i] > 0) close(*ends[i]);
    *ends[i] = 0;
  }
  free(version->report);
  free(version->message);
  version->report = version->message = NULL;
}

/* Waits for the end of a process and gives its exit code; 128 and more for a signal. */
static int await(struct version *version) {
  int status = 0;
  while (waitpid(version->pid, &status, 0) < 0 && errno == EINTR)
    if (asked) kill(version->pid, asked); /* and it stays asked, should the process be past hearing */
  version->pid = 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void abandon(struct version *version) {
  if (version->pid) kill(version->pid, SIGKILL), await(version);
  close_pipes(version);
}

static void start_next(struct watch *watch) {
  struct version *next = &watch->next;
  int orders[2], reports[2], messages[2];
  abandon(next);
  if (pipe(orders) != 0 || pipe(reports) != 0 || pipe(messages) != 0) {
    say(watch, strerror(errno));
    return;
  }
  fflush(NULL);
  next->begins = watch->order == ORDER_BEGIN && !watch->running.pid;
  pid_t pid = fork();
  if (pid == 0) {
    close(orders[1]), close(reports[0]), close(messages[0]);
    become(watch->options, next, orders[0], reports[1], messages[1]);
  }
  close(orders[0]), close(reports[1]), close(messages[1]);
  next->pid = pid > 0 ? pid : 0, next->ready = false;
  next->orders = orders[1], next->reports = reports[0], next->messages = messages[0];
  if (pid < 0) say(watch, strerror(errno));
}

/* Adds what a pipe has to a text; false at its end. */
static bool drain(int pipe, char **text) {
  char bytes[4096];
  ssize_t count = read(pipe, bytes, sizeof bytes);
  if (count <= 0) return count < 0 && errno == EINTR;
  size_t length = *text ? strlen(*text) : 0;
  char *longer = realloc(*text, length + (size_t)count + 1);
  if (!longer) return false;
  memcpy(longer + length, bytes, (size_t)count);
  longer[length + (size_t)count] = 0;
  *text = longer;
  return true;
}

/* The files that the next version was made of, or would have been, are watched from now on. */
static void take_files(struct watch *watch) {
  enum { MOST = 1024 };
  const char *paths[MOST] = {watch->options->spec};
  int count = 1;
  bool unchanged = watch_list_print(&watch->files) == watch->wanted;
  char *rest = watch->next.report ? watch->next.report : (char *)"";
  for (char *line; count < MOST && *rest && (line = strtok_r(rest, "\n", &rest)) != NULL;)
    if (!strncmp(line, "file ", 5) && strcmp(line + 5, watch->options->spec)) paths[count++] = line + 5;
  watch_list_set(&watch->files, paths, count);
  watch->seen = watch_list_print(&watch->files);
  if (!unchanged || watch->seen != watch->wanted) watch->running.print = 0;
  watch->wanted = unchanged ? watch->seen : 0; /* saved again meanwhile: to be compiled again */
}

/* --- What happens ----------------------------------------------------------------------------------------------------------------- */

/* The process has ended before it was ready. -1, or the exit code of the command. */
static int next_failed(struct watch *watch) {
  struct version *next = &watch->next;
  while (drain(next->messages, &next->message)) continue;
  take_files(watch);
  int code = await(next);
  if (isatty(STDERR_FILENO)) fputs("\r\033[K", stderr);
  if (next->message) fputs(next->message, stderr);
  close_pipes(next);
  if (watch->finished) return EXIT_DONE;
  if (watch->running.pid) say(watch, "training goes on with the spec as it was");
  else if (code != EXIT_WRONG_INPUT && code < 128) return code; /* --help, wrong usage */
  else say(watch, "waiting for it to be saved");
  return -1;
}

/* The next version is ready: the running one leaves off, and it begins. */
static int change_over(struct watch *watch) {
  struct version *next = &watch->next, *running = &watch->running;
  take_files(watch);
  if (next->message) fputs(next->message, stderr);
  if (running->pid) {
    kill(running->pid, SIGUSR1);
    int code = await(running);
    if (code == INTERRUPTED) {
      abandon(next);
      return code;
    }
    if (code == HANDED_OVER) watch->order = ORDER_TAKE_OVER;
    else if (code == EXIT_DONE) watch->order = ORDER_GO_ON;
    else if (watch->order == ORDER_BEGIN) { /* it left nothing to go on from: from the beginning, then */
      start_next(watch);
      return -1;
    }
  }
  char order = (char)watch->order;
  if (write(next->orders, &order, 1) != 1) say(watch, "the new program has gone");
  close_pipes(next);
  *running = (struct version){.pid = next->pid, .print = watch->wanted};
  next->pid = 0;
  watch->finished = false;
  return -1;
}

static int running_ended(struct watch *watch, int status) {
  watch->running.pid = 0;
  int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (code == INTERRUPTED || (code == EXIT_DONE && !watch->next.pid)) {
    abandon(&watch->next);
    return code;
  }
  watch->finished = code == EXIT_DONE;
  if (watch->finished) watch->order = ORDER_GO_ON;
  else say(watch, "training has stopped, and goes on when it is saved");
  if (!watch->finished && watch->next.pid && watch->order == ORDER_BEGIN) start_next(watch);
  return -1;
}

static void look_at_files(struct watch *watch) {
  uint64_t before = watch->seen, now = watch->seen = watch_list_print(&watch->files);
  if (now != before || now == watch->wanted) return;
  watch->wanted = now;
  bool undone = watch->running.pid && now == watch->running.print, there = watch_list_has(&watch->files, watch->options->spec);
  if (!undone && there) say(watch, "saved; compiling it");
  if (!there) say(watch, watch->running.pid ? "it is gone; training goes on" : "it is gone");
  if (undone || !there) abandon(&watch->next);
  else start_next(watch);
}

/* What came through the pipes of the next version; at their end it has failed. */
static int listen(struct watch *watch) {
  struct version *next = &watch->next;
  struct pollfd ends[2] = {{next->reports, POLLIN, 0}, {next->messages, POLLIN, 0}};
  if (poll(ends, next->pid ? 2 : 0, LOOK_MILLISECONDS) <= 0 || !next->pid) return -1;
  if (ends[1].revents) drain(next->messages, &next->message);
  if (!ends[0].revents) return -1;
  if (!drain(next->reports, &next->report)) return next_failed(watch);
  size_t length = strlen(next->report);
  return length >= 6 && !strcmp(next->report + length - 6, "ready\n") ? change_over(watch) : -1;
}

/* A signal for the command is one for the program; without a program it ends the command. */
static int pass_on(struct watch *watch) {
  int signal = asked;
  asked = 0;
  abandon(&watch->next);
  if (!watch->running.pid) return 128 + signal;
  kill(watch->running.pid, signal);
  return await(&watch->running);
}

static void suspend(struct watch *watch) {
  const pid_t processes[] = {watch->running.pid, watch->next.pid};
  suspended = 0;
  for (int i = 0; i < 2; i++)
    if (processes[i]) kill(processes[i], SIGSTOP);
  raise(SIGSTOP);
  for (int i = 0; i < 2; i++)
    if (processes[i]) kill(processes[i], SIGCONT);
}

int watch_training(struct options *options) {
  struct watch watch = {.options = options, .order = ORDER_BEGIN};
  watch_list_set(&watch.files, (const char *[]){options->spec}, 1);
  watch.seen = watch.wanted = watch_list_print(&watch.files);
  handle_signals(take_signal);
  start_next(&watch);
  int code = -1;
  while (code < 0) {
    int status;
    code = listen(&watch);
    if (suspended) suspend(&watch);
    if (code < 0 && asked) code = pass_on(&watch);
    if (code < 0 && watch.running.pid && waitpid(watch.running.pid, &status, WNOHANG) > 0) code = running_ended(&watch, status);
    if (code < 0) look_at_files(&watch);
  }
  watch_list_set(&watch.files, NULL, 0);
  handle_signals(SIG_DFL);
  return code;
}
