/* lamella run --watch SPEC train ...: whenever the spec is saved, a process of its own compiles it while training goes
   on. Once the new program has everything ready, it says so and waits. The running one is then asked to leave off; it
   does so after its step, with a checkpoint, and the new one goes on from that (runtime/handover.c). An error, in the
   spec or in data that it names, ends the new process alone. With a process for each version, nothing of an old one can
   be left behind.

   There is one place for what was learned, the file of weights. Each checkpoint, each change and each end replaces it,
   so that it holds the newest state whatever happened. The next program goes on from it, if a program of this command
   wrote it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "driver/spec_code.h"
#include "driver/watch.h"
#include "runtime/runtime.h"

enum { LOOK_MILLISECONDS = 50, INTERRUPTED = 130 };

/* A version of the program: the running one, or the next one while it is made. */
struct version {
  pid_t pid; /* 0: none */
  int orders, reports, messages; /* pipes, or -1; a running version has reports alone */
  bool refused; /* there are errors in the spec */
  bool ready; /* it waits for its order, and the running one has been asked to leave off */
  bool begins; /* it has the arguments that say where to begin from */
  char *report, *message; /* the texts that came through the pipes */
  uint64_t print; /* while running: the hash of the files that it was made of; 0: unknown */
};
static const struct version no_version = {.orders = -1, .reports = -1, .messages = -1};

struct watch {
  struct options *options;
  struct watch_list files;
  uint64_t seen; /* the hash of the files at the last look; a change counts when two looks agree */
  uint64_t wanted; /* the hash that the latest reaction was to */
  struct version running, next;
  char *weights; /* the path of the file; NULL until a version is ready */
  struct stat before; /* the state of that file before the first version began */
  bool began;
  bool finished; /* the running version reached its end while the next was being made */
};

static volatile sig_atomic_t asked, suspended;

static void take_signal(int signal) {
  if (signal == SIGTSTP)
    suspended = 1;
  else
    asked = signal;
}

static void handle_signals(void (*handler)(int)) {
  struct sigaction action = {.sa_handler = handler};
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGTSTP, &action, NULL);
  action.sa_handler = handler == SIG_DFL ? SIG_DFL : SIG_IGN; /* a process that is written to may have ended */
  sigaction(SIGPIPE, &action, NULL);
}

static void say(const struct watch *watch, const char *text) {
  if (isatty(STDERR_FILENO)) fputs("\r\033[K", stderr); /* erases the line of progress */
  fprintf(stderr, "lamella: %s: %s\n", printable(watch->options->arena, watch->options->spec), text);
}

/* --- One version ------------------------------------------------------------------------------------------------------------------ */

/* Compiles in the new process and becomes the program. */
static _Noreturn void become(struct options *options, const struct version *version, int orders, int reports,
                             int messages) {
#ifdef __linux__
  prctl(PR_SET_PDEATHSIG, SIGTERM);
#endif
  setpgid(0, 0); /* a Ctrl-C goes to the watching process, which passes it on */
  handle_signals(SIG_DFL);
  int terminal = dup(STDERR_FILENO);
  dup2(messages, STDERR_FILENO);
  close(messages);
  if (options->passes.times) options->passes.times = options->emission.times = times_new(options->arena);
  struct spec_code code;
  bool done = spec_code_load(options, &code);
  print_times(options, NULL);
  for (int i = 0; i < options->files.count; i++) dprintf(reports, "file %s\n", options->files.items[i].path);
  if (options->refused) dprintf(reports, "refused\n");
  if (!done) exit(EXIT_WRONG_INPUT);
  name_code(options);
  char **arguments = arena_new_array(options->arena, char *, options->rest_count + 3);
  int count = 0;
  arguments[count++] = arena_format(options->arena, "lamella run %s", options->spec);
  for (int i = 0; i < options->rest_count; i++) {
    char *argument = options->rest[i];
    bool init = !strncmp(argument, "--init", 6) && (!argument[6] || argument[6] == '=');
    if (!version->begins && (init || !strcmp(argument, "--resume")))
      i += init && !argument[6];
    else
      arguments[count++] = argument;
  }
  if (!version->begins) arguments[count++] = (char *)"--overwrite"; /* what is there is this command's */
  setenv("LAMELLA_HANDOVER", arena_format(options->arena, "%d:%d:%d", orders, reports, terminal), 1);
  exit(code.main(count, arguments));
}

/* Frees what is left of a version whose process has ended. */
static void forget(struct version *version) {
  const int ends[] = {version->orders, version->reports, version->messages};
  for (int i = 0; i < 3; i++)
    if (ends[i] >= 0) close(ends[i]);
  free(version->report);
  free(version->message);
  *version = no_version;
}

/* Waits for the end of a process. Returns its exit code, or 128 and more for a signal. */
static int await(struct version *version) {
  int status = 0;
  while (waitpid(version->pid, &status, 0) < 0 && errno == EINTR)
    if (asked) kill(version->pid, asked); /* `asked` stays set, in case that the process hears nothing any more */
  version->pid = 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void abandon(struct version *version) {
  if (version->pid) kill(version->pid, SIGKILL), await(version);
  forget(version);
}

/* Whether a program of this command has saved its state: the file of weights is another than before. */
static bool has_state(const struct watch *watch) {
  const struct stat *then = &watch->before;
  struct stat now;
  return watch->began && stat(watch->weights, &now) == 0 &&
         (now.st_ino != then->st_ino || now.st_dev != then->st_dev || now.st_mtim.tv_sec != then->st_mtim.tv_sec ||
          now.st_mtim.tv_nsec != then->st_mtim.tv_nsec);
}

static void start_next(struct watch *watch) {
  struct version *next = &watch->next;
  int orders[2], reports[2], messages[2];
  abandon(next);
  if (pipe(orders) != 0 || pipe(reports) != 0 || pipe(messages) != 0) {
    say(watch, strerror(errno));
    return;
  }
  fcntl(messages[0], F_SETFL, O_NONBLOCK);
  fflush(NULL);
  next->begins = !watch->running.pid && !has_state(watch);
  pid_t pid = fork();
  if (pid == 0) {
    close(orders[1]), close(reports[0]), close(messages[0]);
    become(watch->options, next, orders[0], reports[1], messages[1]);
  }
  close(orders[0]), close(reports[1]), close(messages[1]);
  next->pid = pid > 0 ? pid : 0;
  next->orders = orders[1], next->reports = reports[0], next->messages = messages[0];
  if (pid < 0) say(watch, strerror(errno));
}

/* Appends what a pipe holds to a text. False at the pipe's end, or where it holds nothing and does not block. */
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

/* Shows the messages of the next version and reads its report: from now on the files that it was made of, or would have
   been, are watched. */
static void take_report(struct watch *watch) {
  enum { MOST = 1024 };
  struct version *next = &watch->next;
  const char *paths[MOST] = {watch->options->spec};
  int count = 1;
  bool unchanged = watch_list_print(&watch->files) == watch->wanted;
  char *rest = next->report ? next->report : (char *)"";
  for (char *line; count < MOST && *rest && (line = strtok_r(rest, "\n", &rest)) != NULL;) {
    if (!strncmp(line, "file ", 5) && strcmp(line + 5, watch->options->spec)) paths[count++] = line + 5;
    if (!strcmp(line, "refused")) next->refused = true;
    if (!strncmp(line, "out ", 4) && !watch->weights) watch->weights = strdup(line + 4);
  }
  watch_list_set(&watch->files, paths, count);
  watch->seen = watch_list_print(&watch->files);
  if (!unchanged || watch->seen != watch->wanted) watch->running.print = 0;
  watch->wanted = unchanged ? watch->seen : 0; /* 0: saved again meanwhile, so it must be compiled again */
  while (drain(next->messages, &next->message)) continue;
  if (next->message && isatty(STDERR_FILENO)) fputs("\r\033[K", stderr);
  if (next->message) fputs(next->message, stderr);
}

/* --- What happens ----------------------------------------------------------------------------------------------------------------- */

/* The next version's process has ended before it began to train. Returns -1, or the exit code of the command. */
static int next_failed(struct watch *watch) {
  struct version *next = &watch->next;
  bool was_ready = next->ready;
  int code = await(next);
  if (!was_ready) take_report(watch);
  bool refused = next->refused;
  forget(next);
  if (watch->finished) return EXIT_DONE;
  if (was_ready)
    say(watch, "the new program has ended by itself");
  else if (watch->running.pid)
    say(watch, "training goes on with the spec as it was");
  /* no edit of the spec mends this: an option, a file that it names, the compiler */
  else if (!watch->began && !refused)
    return code;
  else
    say(watch, "waiting until it is saved again");
  return -1;
}

/* Called when the next version is ready and no other runs: it goes on from the newest state. */
static void begin_next(struct watch *watch) {
  struct version *next = &watch->next, *running = &watch->running;
  char order = has_state(watch) ? LAM_ORDER_GO_ON : LAM_ORDER_BEGIN;
  if (order == LAM_ORDER_BEGIN && !next->begins) { /* it was meant to follow a version that has left nothing */
    start_next(watch);
    return;
  }
  if (order == LAM_ORDER_BEGIN && stat(watch->weights, &watch->before) != 0) watch->before = (struct stat){0};
  watch->began = true;
  if (write(next->orders, &order, 1) != 1) {
    say(watch, "the new program has ended by itself; the spec is compiled again");
    start_next(watch);
    return;
  }
  *running = no_version;
  running->pid = next->pid, running->reports = next->reports, running->print = watch->wanted;
  next->pid = 0, next->reports = -1;
  forget(next);
  watch->finished = false;
}

static void next_is_ready(struct watch *watch) {
  take_report(watch);
  watch->next.ready = true;
  if (watch->running.pid)
    kill(watch->running.pid, SIGUSR1);
  else
    begin_next(watch);
}

static int running_ended(struct watch *watch, int status) {
  struct version *next = &watch->next;
  int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  forget(&watch->running);
  if (code == INTERRUPTED || (code == EXIT_DONE && !next->pid)) {
    abandon(next);
    return code;
  }
  watch->finished = code == EXIT_DONE;
  if (code != EXIT_DONE && code != LAM_HANDED_OVER)
    say(watch, next->pid ? "training has stopped, and goes on with the new version"
                         : "training has stopped, and goes on when the spec is saved");
  if (next->ready)
    begin_next(watch);
  else if (next->pid ? !has_state(watch) : code == LAM_HANDED_OVER)
    start_next(watch);
  return -1;
}

static void look_at_files(struct watch *watch) {
  uint64_t before = watch->seen, now = watch->seen = watch_list_print(&watch->files);
  if (now != before || now == watch->wanted) return;
  watch->wanted = now;
  bool undone = watch->running.pid && now == watch->running.print,
       there = watch_list_has(&watch->files, watch->options->spec);
  if (!undone && there) say(watch, "it was saved and is compiled");
  if (!there) say(watch, watch->running.pid ? "it no longer exists; training goes on" : "it no longer exists");
  if (undone || !there)
    abandon(&watch->next);
  else
    start_next(watch);
}

enum { RUNNING_REPORTS, NEXT_REPORTS, NEXT_MESSAGES, ENDS };

/* Reads from the pipes. When those of the next version end, it has failed. */
static int listen(struct watch *watch, const struct pollfd ends[ENDS]) {
  struct version *next = &watch->next, *running = &watch->running;
  if (ends[RUNNING_REPORTS].revents) { /* the hand-over could not be saved, or the version has ended */
    bool refused = drain(running->reports, &running->report);
    if (refused)
      abandon(next), say(watch, "training goes on with the spec as it was");
    else
      close(running->reports), running->reports = -1;
    return -1;
  }
  if (ends[NEXT_MESSAGES].revents) drain(next->messages, &next->message);
  if (!ends[NEXT_REPORTS].revents) return -1;
  if (!drain(next->reports, &next->report)) return next_failed(watch);
  size_t length = strlen(next->report);
  if (length >= 6 && !strcmp(next->report + length - 6, "ready\n")) next_is_ready(watch);
  return -1;
}

/* Passes a signal for the command on to the program; without a program the signal ends the command. */
static int pass_on(struct watch *watch) {
  struct version *next = &watch->next, *running = &watch->running;
  int signal = asked, code = 128 + signal;
  asked = 0;
  if (running->pid) kill(running->pid, signal), code = await(running);
  if (code == LAM_HANDED_OVER && next->ready) { /* the new version must save, as the spec is now */
    begin_next(watch);
    if (running->pid) kill(running->pid, signal), code = await(running);
  }
  abandon(next);
  if (code != LAM_HANDED_OVER) return code;
  say(watch, "stopped; train --resume goes on");
  return INTERRUPTED;
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
  struct watch watch = {.options = options, .running = no_version, .next = no_version};
  watch_list_set(&watch.files, (const char *[]){options->spec}, 1);
  watch.seen = watch.wanted = watch_list_print(&watch.files);
  handle_signals(take_signal);
  start_next(&watch);
  int code = -1;
  while (code < 0) {
    struct version *running = &watch.running, *next = &watch.next;
    struct pollfd ends[ENDS] = {{running->reports, POLLIN, 0}, {next->reports, POLLIN, 0}, {next->messages, POLLIN, 0}};
    int status, heard = poll(ends, ENDS, LOOK_MILLISECONDS);
    if (heard > 0) code = listen(&watch, ends);
    if (suspended) suspend(&watch);
    if (code < 0 && asked) code = pass_on(&watch);
    if (code < 0 && running->pid && waitpid(running->pid, &status, WNOHANG) > 0) code = running_ended(&watch, status);
    if (code < 0 && heard == 0 && !next->ready) look_at_files(&watch); /* no look while a version waits to take over */
  }
  watch_list_set(&watch.files, NULL, 0);
  free(watch.weights);
  forget(&watch.running);
  handle_signals(SIG_DFL);
  return code;
}
