/* The files that commands write. Each is written whole or not at all, and no temporary file stays behind. */
#include "driver/driver.h"
#include "ir/environment.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/runtime.h"

/* --- Files to be removed when the command ends ---------------------------------------------------------------------- */

enum { TEMPORARIES_MOST = 2048 }; /* `emit` writes up to four for each of 256 specs, and a few more */
static const char *volatile temporaries[TEMPORARIES_MOST];
static volatile sig_atomic_t temporary_count;
static volatile pid_t owner, working; /* working: a process that writes some of them */

/* Removes all but the first `kept`. A signal handler calls it too. */
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
  raise(signal); /* its handler is the default one again */
}

/* Handles a signal, unless it has a handler already or is ignored, as by nohup and by verbs that watch over
   processes. */
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
  const char *place = environment("TMPDIR") && *environment("TMPDIR") ? environment("TMPDIR") : "/tmp";
  char *folder = arena_format(options->arena, "%s/lamella-XXXXXX", place);
  if (mkdtemp(folder)) return folder;
  fprintf(stderr, "lamella: error: cannot make a folder in %s: %s\n", printable(options->arena, place),
          strerror(errno));
  return NULL;
}

/* --- Outputs -------------------------------------------------------------------------------------------------------------- */

static bool cannot_write(const char *path, int error) {
  struct arena *arena = arena_new();
  fprintf(stderr, "lamella: error: cannot write %s: %s\n", *path ? printable(arena, path) : "\"\"", strerror(error));
  arena_free(arena);
  return false;
}

/* Sets *file to the file that a new one will replace, links followed, or to NULL for a device or a pipe, which is
   written into. */
static bool find_replaced(struct arena *arena, const char *path, const char **file) {
  char *found;
  if (!lam_find_replaced(path, &found)) return cannot_write(path, errno);
  *file = found ? arena_strdup(arena, found) : NULL;
  free(found);
  return true;
}

/* The folder of a file, with the slash. */
static const char *folder_of(struct arena *arena, const char *file) {
  const char *slash = strrchr(file, '/');
  return slash ? arena_copy(arena, file, (size_t)(slash + 1 - file)) : "./";
}

bool output_possible(const struct options *options, const char *path) {
  const char *file;
  if (!find_replaced(options->arena, path, &file)) return false;
  return !file || access(folder_of(options->arena, file), W_OK | X_OK) == 0 || cannot_write(path, errno);
}

/* The output is made in a new folder that nobody else can enter, so that no one can put a link in its place. The folder
   is beside the file that the output will replace, or a temporary one when the output is to be copied. */
const char *output_begin(struct options *options, const char *path) {
  const char *file, *folder;
  if (!find_replaced(options->arena, path, &file)) return NULL;
  if (file) {
    char *own = arena_format(options->arena, "%slamella-XXXXXX", folder_of(options->arena, file));
    folder = mkdtemp(own);
    if (!folder) return cannot_write(path, errno), NULL;
  } else if (!(folder = temporary_folder(options))) {
    return NULL;
  }
  temporary_add(folder);
  const char *made = arena_format(options->arena, "%s/output", folder);
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

/* Gives the new file the mode of the old one; whoever could read a program may execute it. */
static void keep_mode(const char *made, const char *file) {
  struct stat now, before;
  if (stat(made, &now) != 0 || stat(file, &before) != 0) return;
  mode_t execute = now.st_mode & 0111 ? (before.st_mode & 0444) >> 2 : 0;
  chmod(made, (before.st_mode & 0777) | execute);
}

bool output_end(struct options *options, const char *made, const char *path) {
  const char *file;
  if (!find_replaced(options->arena, path, &file)) return false;
  if (file) keep_mode(made, file);
  return (file ? rename(made, file) == 0 : copy_into(made, path)) || cannot_write(path, errno);
}

bool write_by(const char *path, bool (*write)(FILE *file, const void *context), const void *context) {
  char *replaced, *beside = NULL;
  if (!lam_find_replaced(path, &replaced)) return cannot_write(path, errno);
  int made = replaced ? lam_create_beside(replaced, &beside) : open(path, O_WRONLY | O_TRUNC | O_NOCTTY | O_CLOEXEC);
  if (beside) temporary_add(beside);
  FILE *file = made >= 0 ? fdopen(made, "wb") : NULL;
  bool done = file && write(file, context) && fflush(file) == 0 && (!replaced || fsync(made) == 0);
  int error = errno;
  if (file ? fclose(file) != 0 && done : made >= 0 && close(made) != 0) done = false, error = errno;
  if (done && replaced && rename(beside, replaced) != 0) done = false, error = errno;
  if (beside) temporary_remove(1);
  free(beside);
  free(replaced);
  return done || cannot_write(path, error);
}

struct bytes {
  const char *first;
  size_t count;
};

static bool put_bytes(FILE *file, const void *context) {
  const struct bytes *bytes = context;
  return fwrite(bytes->first, 1, bytes->count, file) == bytes->count;
}

bool write_bytes(const char *path, const char *bytes, size_t size) {
  return write_by(path, put_bytes, &(struct bytes){bytes, size});
}

bool write_file(const char *path, const char *text) { return write_bytes(path, text, strlen(text)); }
