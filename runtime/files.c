/* Writes files whole or not at all, and sees to the standard streams. */
#include "runtime/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* --- What is to be gone when the program ends, by a signal too ---------------------------------------------------- */

enum { LAM_TEMPORARIES = 4 };
static char *volatile lam_temporaries[LAM_TEMPORARIES];
static volatile pid_t lam_owner; /* the process that removes them; its forks do not */

static void lam_remove_temporaries(void) {
  for (int i = 0; i < LAM_TEMPORARIES && getpid() == lam_owner; i++)
    if (lam_temporaries[i]) unlink(lam_temporaries[i]);
}

static void lam_end_by_signal(int signal) {
  lam_remove_temporaries();
  raise(signal); /* the signal has its usual meaning again */
}

void lam_end_tidily(int signal) {
  struct sigaction action = {.sa_handler = lam_end_by_signal, .sa_flags = (int)SA_RESETHAND | SA_NODEFER};
  sigaction(signal, &action, NULL);
}

static void lam_temporary_add(char *path) {
  static const int signals[] = {SIGHUP, SIGINT, SIGPIPE, SIGTERM, SIGXFSZ};
  int i = 0;
  if (!lam_owner) atexit(lam_remove_temporaries);
  lam_owner = getpid();
  for (size_t k = 0; k < sizeof signals / sizeof *signals; k++) {
    struct sigaction present;
    if (sigaction(signals[k], NULL, &present) == 0 && present.sa_handler == SIG_DFL) lam_end_tidily(signals[k]);
  }
  while (i < LAM_TEMPORARIES - 1 && lam_temporaries[i]) i++;
  lam_temporaries[i] = path;
}

static void lam_temporary_remove(const char *path) {
  for (int i = 0; i < LAM_TEMPORARIES; i++)
    if (lam_temporaries[i] == path) lam_temporaries[i] = NULL;
}

/* --- Where a file goes -------------------------------------------------------------------------------------------- */

bool lam_cannot_write(const char *path, int problem) {
  return lam_error("cannot write %s: %s", *path ? path : "\"\"", strerror(problem));
}

/* The length of a path's folder, the slash included. */
static int lam_folder_length(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? (int)(slash - path) + 1 : 0;
}

/* The descriptor of standard output or standard error if it goes to this file, as /dev/stdout does; else -1. */
static int lam_stream_of_file(const struct stat *about) {
  struct stat stream;
  for (int file = STDOUT_FILENO; file <= STDERR_FILENO; file++)
    if (fstat(file, &stream) == 0 && stream.st_dev == about->st_dev && stream.st_ino == about->st_ino) return file;
  return -1;
}

bool lam_find_replaced(const char *path, char **file) {
  struct stat about;
  char link[4096];
  bool there = stat(path, &about) == 0;
  *file = NULL;
  if ((!there && errno != ENOENT) || !*path) return false;
  if (there && S_ISDIR(about.st_mode)) return errno = EISDIR, false;
  if (there && access(path, W_OK) != 0) return false;
  if (there && (!S_ISREG(about.st_mode) || lam_stream_of_file(&about) >= 0)) return true;
  *file = lam_join(path, "");
  for (ssize_t length; (length = readlink(*file, link, sizeof link - 1)) >= 0;) {
    link[length] = 0;
    (*file)[*link == '/' ? 0 : lam_folder_length(*file)] = 0;
    char *next = lam_join(*file, link);
    free(*file);
    *file = next;
  }
  if ((*file)[lam_folder_length(*file)]) return true;
  free(*file);
  return *file = NULL, errno = EISDIR, false;
}

int lam_create_beside(const char *file, char **beside) {
  enum { LONGEST = 200, TRIES = 100 }; /* LONGEST: bytes of a name, with room for the rest */
  static unsigned count;
  struct stat about;
  bool there = stat(file, &about) == 0;
  int made = -1, length = (int)strlen(file), most = lam_folder_length(file) + LONGEST;
  *beside = lam_allocate(length + 16, 1);
  if (length > most) length = most;
  for (int i = 0; made < 0 && (!i || errno == EEXIST) && i < TRIES; i++) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint32_t number = ((uint32_t)now.tv_nsec ^ (uint32_t)getpid() << 12) + 2654435761u * count++;
    sprintf(*beside, "%.*s.%08lx.tmp", length, file, (unsigned long)number);
    made = open(*beside, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, there ? 0600 : 0666);
  }
  if (made >= 0 && there) { /* the old file's owner where that is allowed, and no more rights than before */
    mode_t mode = about.st_mode & 0777;
    if (fchown(made, about.st_uid, about.st_gid) != 0 && fchown(made, (uid_t)-1, about.st_gid) != 0)
      mode &= ~(mode_t)070;
    fchmod(made, mode);
  }
  if (made < 0) free(*beside), *beside = NULL;
  return made;
}

bool lam_same_file(const char *x, const char *y) {
  struct stat a, b;
  return stat(x, &a) == 0 && stat(y, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

bool lam_is_writable(const char *path) {
  char *file, *beside = NULL;
  int made = -1;
  bool good = lam_find_replaced(path, &file) && (!file || (made = lam_create_beside(file, &beside)) >= 0);
  if (!good) lam_cannot_write(path, errno);
  if (made >= 0) close(made), unlink(beside);
  free(beside);
  free(file);
  return good;
}

/* --- A file that is written --------------------------------------------------------------------------------------- */

bool lam_output_open(struct lam_output *output, const char *path) {
  struct stat about;
  int made = -1;
  *output = (struct lam_output){.path = path};
  if (lam_find_replaced(path, &output->file)) {
    fflush(stdout); /* the path may lead to it */
    int stream = !output->file && stat(path, &about) == 0 ? lam_stream_of_file(&about) : -1;
    if (output->file)
      made = lam_create_beside(output->file, &output->beside);
    else
      made = stream >= 0 ? dup(stream) : open(path, O_WRONLY | O_TRUNC | O_NOCTTY | O_CLOEXEC);
  }
  if (output->beside) lam_temporary_add(output->beside);
  if (made >= 0 && (output->stream = fdopen(made, "wb"))) return true;
  lam_cannot_write(path, errno);
  if (made >= 0) close(made);
  if (output->beside) unlink(output->beside), lam_temporary_remove(output->beside);
  free(output->beside);
  free(output->file);
  return false;
}

bool lam_output_close(struct lam_output *output, bool good) {
  int problem = errno;
  FILE *file = output->stream;
  good = good && !ferror(file);
  if (good && (fflush(file) != 0 || (output->file && fsync(fileno(file)) != 0 && errno != EINVAL && errno != ENOSYS)))
    good = false, problem = errno;
  if (fclose(file) != 0 && good) good = false, problem = errno;
  if (good && output->file && rename(output->beside, output->file) != 0) good = false, problem = errno;
  bool kept = output->file && access(output->file, F_OK) == 0;
  if (!good && output->beside) unlink(output->beside);
  if (!good)
    lam_error("cannot write %s: %s%s", output->path, strerror(problem),
              kept ? "; what it held before is unchanged" : "");
  lam_temporary_remove(output->beside);
  free(output->beside);
  free(output->file);
  return good;
}

/* --- One program at a time ---------------------------------------------------------------------------------------- */

bool lam_lock(struct lam_locked *lock, const char *path) {
  char *file;
  if (lock->path) return true;
  if (!lam_find_replaced(path, &file)) return lam_cannot_write(path, errno);
  if (!file) return true; /* a device or a pipe */
  lock->path = lam_join(file, ".lock");
  free(file);
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  struct stat own, there;
  while ((lock->file = open(lock->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666)) >= 0 &&
         fcntl(lock->file, F_SETLK, &whole) == 0) {
    lam_temporary_add(lock->path);
    if (fstat(lock->file, &own) == 0 && stat(lock->path, &there) == 0 && own.st_ino == there.st_ino) return true;
    lam_temporary_remove(lock->path); /* whoever had the lock has removed the file meanwhile: try again */
    close(lock->file);
  }
  int problem = errno;
  bool held = lock->file >= 0 && (problem == EAGAIN || problem == EACCES);
  if (held) fcntl(lock->file, F_GETLK, &whole);
  if (lock->file >= 0) close(lock->file);
  if (lock->file >= 0 && !held) unlink(lock->path);
  free(lock->path);
  lock->path = NULL;
  if (held)
    return lam_error("another training, process %ld, writes %s: --out FILE names another file", (long)whole.l_pid,
                     path);
  lam_note("%s cannot be locked (%s): another training that writes it would go unnoticed", path, strerror(problem));
  return true;
}

void lam_unlock(struct lam_locked *lock) {
  if (!lock->path) return;
  unlink(lock->path);
  lam_temporary_remove(lock->path);
  close(lock->file);
  free(lock->path);
  lock->path = NULL;
}

/* --- The standard streams ----------------------------------------------------------------------------------------- */

void lam_hold_streams(void) {
  int file;
  do file = open("/", O_RDONLY);
  while (file >= 0 && file <= STDERR_FILENO);
  if (file >= 0) close(file);
}

int lam_finish(const char *program, int code) {
  bool lost = ferror(stdout) != 0, closed = true;
  errno = 0;
  lost |= fflush(stdout) != 0;
  int problem = errno, copy = dup(STDOUT_FILENO);
  if (copy >= 0) closed = close(copy) == 0; /* some file systems report errors only then */
  if (!closed && !problem) problem = errno;
  if (lost || !closed) {
    fprintf(stderr, "%serror: cannot write the output%s%s\n", program, problem ? ": " : "",
            problem ? strerror(problem) : "");
    clearerr(stdout); /* it has been reported */
  }
  return !code && (lost || !closed || ferror(stderr)) ? 1 : code;
}
