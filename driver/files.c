/* What commands write: whole or not at all, and nothing else of theirs stays behind. */
#define _XOPEN_SOURCE 700 /* realpath */
#include "driver/driver.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- What is to be gone when the command ends ----------------------------------------------------------------------------- */

enum { TEMPORARIES_MOST = 64 };
static const char *volatile temporaries[TEMPORARIES_MOST];
static volatile sig_atomic_t temporary_count;
static volatile pid_t owner, working; /* working: a process that writes some of it */

/* Also called by a signal handler. */
static void remove_after(int kept) {
  while (temporary_count > kept) {
    const char *path = temporaries[--temporary_count];
    if (unlink(path) != 0) rmdir(path);
  }
}

static void end_by_signal(int signal) {
  if (getpid() == owner) {
    if (working > 0 && kill(working, SIGTERM) == 0) waitpid(working, NULL, 0);
    remove_after(0);
  }
  raise(signal); /* which has its usual meaning again */
}

/* What others have made of a signal stays: nohup, and verbs that watch over processes. */
static void handle(int signal) {
  struct sigaction action = {.sa_handler = end_by_signal, .sa_flags = (int)SA_RESETHAND | SA_NODEFER}, present;
  if (sigaction(signal, NULL, &present) == 0 && !(present.sa_flags & SA_SIGINFO) && present.sa_handler == SIG_DFL)
    sigaction(signal, &action, NULL);
}

void temporary_add(const char *path) {
  if (temporary_count == TEMPORARIES_MOST) bug("too many temporary files");
  owner = getpid();
  temporaries[temporary_count] = path;
  temporary_count++;
  handle(SIGINT), handle(SIGTERM), handle(SIGHUP);
}

void temporary_remove(int count) { remove_after(count < temporary_count ? temporary_count - count : 0); }
void temporary_remove_all(void) { remove_after(0); }
void temporary_keep_all(void) { temporary_count = 0; }
void temporary_writer(pid_t process) { working = process; }

const char *temporary_folder(struct options *options) {
  const char *place = getenv("TMPDIR") && *getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
  char *folder = arena_format(options->arena, "%s/lamella-XXXXXX", place);
  if (mkdtemp(folder)) return folder;
  fprintf(stderr, "lamella: error: cannot make a folder in %s: %s\n", printable(options->arena, place), strerror(errno));
  return NULL;
}

/* --- Outputs -------------------------------------------------------------------------------------------------------------- */

/* Where the file is that a new one is to replace, links followed; NULL for what must be written into: a device, a pipe. */
static const char *replaced_file(struct arena *arena, const char *path) {
  struct stat about;
  char real[PATH_MAX];
  if (stat(path, &about) != 0) return path;
  if (!S_ISREG(about.st_mode)) return NULL;
  return lstat(path, &about) == 0 && S_ISLNK(about.st_mode) && realpath(path, real) ? arena_strdup(arena, real) : path;
}

static const char *beside(struct arena *arena, const char *path) {
  return arena_format(arena, "%s.%ld.tmp", path, (long)getpid());
}

static bool cannot_write(const char *path, int error) {
  struct arena *arena = arena_new();
  fprintf(stderr, "lamella: error: cannot write %s: %s\n", printable(arena, path), strerror(error));
  arena_free(arena);
  return false;
}

bool output_possible(const struct options *options, const char *path) {
  const char *file = replaced_file(options->arena, path);
  struct stat about;
  if (!file && stat(path, &about) == 0 && S_ISDIR(about.st_mode)) return cannot_write(path, EISDIR);
  if (!file) return access(path, W_OK) == 0 || cannot_write(path, errno);
  const char *slash = strrchr(file, '/');
  const char *folder = !slash ? "." : slash == file ? "/" : arena_copy(options->arena, file, (size_t)(slash - file));
  return access(folder, W_OK | X_OK) == 0 || cannot_write(path, errno);
}

const char *output_begin(struct options *options, const char *path) {
  const char *file = replaced_file(options->arena, path), *made;
  if (file) {
    made = beside(options->arena, file);
  } else {
    const char *folder = temporary_folder(options);
    if (!folder) return NULL;
    temporary_add(folder);
    made = arena_format(options->arena, "%s/output", folder);
  }
  temporary_add(made);
  return made;
}

static bool write_all(int file, const char *text, size_t length) {
  while (length) {
    ssize_t written = write(file, text, length);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text += written;
    length -= (size_t)written;
  }
  return true;
}

static bool copy_into(const char *from, const char *to) {
  char bytes[1 << 16];
  int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_TRUNC | O_CLOEXEC);
  ssize_t got = 0;
  bool done = in >= 0 && out >= 0;
  while (done && (got = read(in, bytes, sizeof bytes)) > 0) done = write_all(out, bytes, (size_t)got);
  if (got < 0) done = false;
  int error = errno;
  if (in >= 0) close(in);
  if (out >= 0 && close(out) != 0 && done) done = false, error = errno;
  errno = error;
  return done;
}

bool output_end(struct options *options, const char *made, const char *path) {
  const char *file = replaced_file(options->arena, path);
  return (file ? rename(made, file) == 0 : copy_into(made, path)) || cannot_write(path, errno);
}

bool write_bytes(const char *path, const char *bytes, size_t size) {
  struct arena *arena = arena_new();
  const char *replaced = replaced_file(arena, path), *written = replaced ? beside(arena, replaced) : path;
  if (replaced) temporary_add(written);
  int file = open(written, O_WRONLY | O_TRUNC | (replaced ? O_CREAT : 0), 0666);
  bool done = file >= 0 && write_all(file, bytes, size) && (!replaced || fsync(file) == 0);
  int error = errno;
  if (file >= 0 && close(file) != 0 && done) done = false, error = errno;
  if (done && replaced && rename(written, replaced) != 0) done = false, error = errno;
  if (replaced) temporary_remove(1);
  arena_free(arena);
  return done || cannot_write(path, error);
}

bool write_file(const char *path, const char *text) { return write_bytes(path, text, strlen(text)); }
