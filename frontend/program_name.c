/* What a program is called: by its spec's file, or as the user wants it. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "frontend/frontend.h"

enum { LONGEST_NAME = 63 };

/* Words between blanks. */
static bool is_among(struct arena *arena, const char *words, const char *name) {
  return !strchr(name, ' ') && strstr(words, arena_format(arena, " %s ", name));
}

const char *program_name_problem(struct arena *arena, const char *name) {
  static const char keywords[] =
      " alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl concept const "
      "constexpr const_cast continue decltype default delete do double dynamic_cast else enum explicit export extern "
      "false final float for friend goto if import inline int long module mutable namespace new noexcept not not_eq "
      "nullptr operator or or_eq override private protected public register reinterpret_cast requires restrict return "
      "short signed sizeof static static_assert static_cast struct switch template this thread_local throw true try "
      "typedef typeid typename typeof union unsigned using virtual void volatile wchar_t while xor xor_eq std ";
  static const char headers[] =
      " errno linux unix i386 stat tm timespec timeval sigaction sigevent sigval sigstack itimerspec sched_param lconv "
      "size_t ssize_t ptrdiff_t intptr_t uintptr_t intmax_t uintmax_t max_align_t nullptr_t wint_t float_t double_t "
      "time_t clock_t off_t pid_t mode_t dev_t ino_t uid_t gid_t div_t ldiv_t lldiv_t imaxdiv_t va_list fd_set "
      "fpos_t jmp_buf sig_atomic_t mbstate_t FILE DIR ";
  /* NAME.h would hide C's own where the program's folder is searched before the system's. */
  static const char files[] =
      " alloca arm_neon assert complex cpuid ctype endian fcntl features fenv immintrin inttypes limits locale math "
      "setjmp "
      "signal stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string strings tgmath threads "
      "time uchar unistd wchar wctype ";
  static const char beginners[] = " timer sem mtx cnd thrd tss "; /* with _create or _destroy */
  static const char own[] = " lam run pthread omp ";
  static const char *const beginnings[] = {"lam_", "LAM_", "run_", "pthread_", "omp_", "_"};
  bool small = false;
  for (const char *letter = name; *letter; letter++) {
    if (!isalnum((unsigned char)*letter) && *letter != '_')
      return "it is no C identifier, which has letters, digits and underscores";
    small = small || islower((unsigned char)*letter);
  }
  if (!*name) return "it is empty";
  if (strlen(name) > LONGEST_NAME)
    return "it has more than 63 characters, of which C does not promise to tell names apart";
  if (isdigit((unsigned char)*name)) return "it is no C identifier, which begins with a letter";
  for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++)
    if (!strncmp(name, beginnings[i], strlen(beginnings[i])))
      return arena_format(arena, "names that begin with %s are taken, by the runtime or by C's own libraries",
                          beginnings[i]);
  if (!small) return "it has no small letter, and names in capitals are macros";
  if (is_among(arena, keywords, name)) return "it is a word of C or C++";
  if (is_among(arena, headers, name)) return "C's headers have something of that name";
  if (is_among(arena, files, name)) return "C has a header of that name";
  if (is_among(arena, beginners, name)) return "C's libraries have functions whose names begin so";
  /* The guards of headers are in capitals, and some systems' files have no other letters. */
  if (!strcasecmp(name, "lamella_runtime") || !strcasecmp(name, "lamella"))
    return "the runtime is written to files of that name";
  if (is_among(arena, own, name)) return "names that begin so are taken, by the runtime or by C's own libraries";
  return NULL;
}

const char *program_name(struct arena *arena, const char *path) {
  const char *slash = strrchr(path, '/');
  const char *base = slash ? slash + 1 : path;
  const size_t length = strlen(base), ending = strlen(".lam");
  const bool has_ending = length > ending && !strcmp(base + length - ending, ".lam");
  char *name = arena_copy(arena, base, has_ending ? length - ending : length);
  for (char *letter = name; *letter; letter++)
    if (!isalnum((unsigned char)*letter)) *letter = '_';
  if (strlen(name) > LONGEST_NAME) name[LONGEST_NAME - strlen("spec_")] = 0;
  return program_name_problem(arena, name) ? arena_format(arena, "spec_%s", name) : name;
}
