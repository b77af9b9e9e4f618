#include "codegen/c_names.h"

#include <stddef.h>
#include <string.h>

/* Whether the name is built as those of arm_neon.h are: vaddq_f32, vreinterpretq_s32_f32, float32x4_t. */
static bool is_neon_name(const char *name) {
  size_t length = strlen(name), type = strcspn(name, "0123456789");
  const char *element = strrchr(name, '_');
  if (length > 2 && !strcmp(name + length - 2, "_t") && type < length && strchr(name + type, 'x')) return true;
  return *name == 'v' && element && element[1] && strchr("fsupb", element[1]) && element[2] >= '1' && element[2] <= '9';
}

/* Names that a variable must not have: keywords, and names in the printed text, which it would hide. Then macros of the
   headers that programs include, which nothing at all may be called. */
bool c_is_taken(const char *name) {
  /* clang-format off */
  static const char *const taken[] = {
    "auto",   "break",    "case",     "char",    "const",   "continue", "default", "do",     "double", "else",   "enum",   "extern",
    "float",  "for",      "goto",     "if",      "inline",  "int",      "long",    "register", "restrict", "return", "short", "signed",
    "sizeof", "static",   "struct",   "switch",  "typedef", "union",    "unsigned", "void",  "volatile", "while", "main",   "int32_t",
    "int64_t", "uint8_t", "uint32_t", "uint64_t", "sqrt",   "pow",
    "floor",  "rint",     "fabs",     "fabsf",   "sqrtf",   "floorf",   "rintf",   "fmaf",   "fma",    "asm",    "typeof",
    "bool",   "true",     "false",    "errno",   "stdin",   "stdout",   "stderr",  "unix",   "linux",  "i386",   "st_atime",
    "st_mtime", "st_ctime", "sa_handler", "sa_sigaction", "static_assert", "I", "complex", "imaginary", "noreturn",
    /* of C++, which may include a program's header */
    "and", "and_eq", "bitand", "bitor", "compl", "not", "not_eq", "or", "or_eq", "xor", "xor_eq", "alignas", "alignof", "catch",
    "char8_t", "char16_t", "char32_t", "class", "concept", "const_cast", "consteval", "constexpr", "constinit", "co_await", "co_return",
    "co_yield", "decltype", "delete", "dynamic_cast", "explicit", "export", "friend", "mutable", "namespace", "new", "noexcept",
    "nullptr", "operator", "private", "protected", "public", "reinterpret_cast", "requires", "static_cast", "template", "this",
    "thread_local", "throw", "try", "typeid", "typename", "using", "virtual", "wchar_t",
#define FUNCTION(name) #name,
#include "codegen/simd.def"
  };
  /* clang-format on */
  for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
    if (!strcmp(taken[i], name)) return true;
  return is_neon_name(name);
}

/* Names that headers of programs declare, here and on other systems: a kernel of such a name would clash. */
bool c_is_library_name(const char *name) {
  /* clang-format off */
  static const char *const names[] = {
    "a64l", "abort", "abs", "access", "acct", "acos", "acosf", "acosh", "acoshf", "acoshl", "acosl", "alarm",
    "aligned_alloc", "alloca", "asctime", "asctime_r", "asin", "asinf", "asinh", "asinhf", "asinhl", "asinl",
    "assert", "at_quick_exit", "atan", "atan2", "atan2f", "atan2l", "atanf", "atanh", "atanhf", "atanhl", "atanl",
    "atexit", "atof", "atoi", "atol", "atoll", "basename", "bcmp", "bcopy", "bool", "brk", "bsearch", "bzero",
    "calloc", "cbrt", "cbrtf", "cbrtl", "ceil", "ceilf", "ceill", "chdir", "chmod", "chown", "chroot", "clearerr",
    "clock", "clock_getcpuclockid", "clock_getres", "clock_gettime", "clock_nanosleep", "clock_settime", "close",
    "confstr", "copysign", "copysignf", "copysignl", "cos", "cosf", "cosh", "coshf", "coshl", "cosl", "creat",
    "crypt", "ctermid", "ctime", "ctime_r", "cuserid", "daemon", "daylight", "difftime", "div", "dprintf", "drem",
    "dup", "dup2", "dup3", "dysize", "ecvt", "encrypt", "environ", "erf", "erfc", "erfcf", "erfcl", "erff", "erfl",
    "errno", "execl", "execle", "execlp", "execv", "execve", "execvp", "exit", "exp", "exp10", "exp2", "exp2f",
    "exp2l", "expf", "expl", "expm1", "expm1f", "expm1l", "fabs", "fabsf", "fabsl", "faccessat", "false", "fchdir",
    "fchmod", "fchmodat", "fchown", "fchownat", "fclose", "fcntl", "fcvt", "fdatasync", "fdim", "fdimf", "fdiml",
    "fdopen", "feof", "ferror", "fexecve", "fflush", "ffs", "fgetc", "fgetpos", "fgets", "fileno", "finite",
    "flockfile", "floor", "floorf", "floorl", "fma", "fmaf", "fmal", "fmax", "fmaxf", "fmaxl", "fmemopen", "fmin",
    "fminf", "fminl", "fmod", "fmodf", "fmodl", "fopen", "fork", "fpathconf", "fpclassify", "fprintf", "fputc",
    "fputs", "fread", "free", "freopen", "frexp", "frexpf", "frexpl", "fscanf", "fseek", "fseeko", "fsetpos", "fstat",
    "fstatat", "fsync", "ftell", "ftello", "ftruncate", "ftrylockfile", "funlockfile", "futimens", "fwrite", "gamma",
    "gcvt", "getauxval", "getc", "getc_unlocked", "getchar", "getchar_unlocked", "getcwd", "getdelim", "getegid", "getenv",
    "geteuid", "getgid", "getgroups", "gethostname", "getline", "getlogin", "getlogin_r", "getopt", "getpass",
    "getpgid", "getpgrp", "getpid", "getppid", "getsid", "getsubopt", "getuid", "getw", "gmtime", "gmtime_r", "hypot",
    "hypotf", "hypotl", "i386", "ilogb", "ilogbf", "ilogbl", "imaxabs", "imaxdiv", "index", "initstate", "isalnum",
    "isalnum_l", "isalpha", "isalpha_l", "isatty", "isblank", "isblank_l", "iscntrl", "iscntrl_l", "isdigit",
    "isdigit_l", "isfinite", "isgraph", "isgraph_l", "isinf", "islower", "islower_l", "isnan", "isnormal", "isprint",
    "isprint_l", "ispunct", "ispunct_l", "isspace", "isspace_l", "isupper", "isupper_l", "isxdigit", "isxdigit_l",
    "j0", "j1", "jn", "kill", "killpg", "l64a", "labs", "lchown", "ldexp", "ldexpf", "ldexpl", "ldiv", "lgamma",
    "lgammaf", "lgammal", "link", "linkat", "linux", "llabs", "lldiv", "llrint", "llrintf", "llrintl", "llround",
    "llroundf", "llroundl", "localtime", "localtime_r", "lockf", "log", "log10", "log10f", "log10l", "log1p",
    "log1pf", "log1pl", "log2", "log2f", "log2l", "logb", "logbf", "logbl", "logf", "logl", "longjmp", "lrint",
    "lrintf", "lrintl", "lround", "lroundf", "lroundl", "lseek", "lstat", "malloc", "mblen", "mbstowcs", "mbtowc",
    "memccpy", "memchr", "memcmp", "memcpy", "memmove", "memset", "mkdir", "mkdirat", "mkdtemp", "mkfifo", "mkfifoat",
    "mkstemp", "mktemp", "mktime", "mlock", "mlockall", "mmap", "modf", "modff", "modfl", "mprotect", "msync",
    "munlock", "munlockall", "munmap", "nan", "nanf", "nanl", "nanosleep", "nearbyint", "nearbyintf", "nearbyintl",
    "nextafter", "nextafterf", "nextafterl", "nexttoward", "nexttowardf", "nexttowardl", "nice", "offsetof", "open",
    "open_memstream", "openat", "optarg", "opterr", "optind", "optopt", "pathconf", "pause", "pclose", "perror",
    "pipe", "pipe2", "popen", "posix_fadvise", "posix_fallocate", "posix_madvise", "posix_memalign", "pow", "pow10",
    "powf", "powl", "pread", "printf", "psiginfo", "psignal", "pthread_create", "putc", "putc_unlocked", "putchar",
    "putchar_unlocked", "putenv", "puts", "putw", "pwrite", "qsort", "quick_exit", "raise", "rand", "rand_r",
    "random", "read", "readlink", "readlinkat", "realloc", "remainder", "remainderf", "remainderl", "remove",
    "remquo", "remquof", "remquol", "rename", "renameat", "rewind", "rindex", "rint", "rintf", "rintl", "rmdir",
    "round", "roundf", "roundl", "sbrk", "scalbln", "scalblnf", "scalblnl", "scalbn", "scalbnf", "scalbnl", "scanf",
    "sched_get_priority_max", "sched_get_priority_min", "sched_getparam", "sched_getscheduler",
    "sched_rr_get_interval", "sched_setparam", "sched_setscheduler", "sched_yield", "select", "setbuf", "setegid",
    "setenv", "seteuid", "setgid", "setjmp", "setlinebuf", "setpgid", "setsid", "setstate", "setuid", "setvbuf",
    "shm_open", "shm_unlink", "sigaction", "sigaddset", "sigblock", "sigdelset", "sigemptyset", "sigfillset",
    "siginterrupt", "sigismember", "sigmask", "signal", "signbit", "signgam", "significand", "sigpause", "sigpending",
    "sigprocmask", "sigqueue", "sigstack", "sigsuspend", "sigtimedwait", "sigwait", "sigwaitinfo", "sin", "sincos",
    "sinf", "sinh", "sinhf", "sinhl", "sinl", "sleep", "snprintf", "sprintf", "sqrt", "sqrtf", "sqrtl", "srand",
    "srandom", "sscanf", "stat", "stderr", "stdin", "stdout", "stime", "stpcpy", "stpncpy", "strcasecmp", "strcat",
    "strchr", "strcmp", "strcoll", "strcoll_l", "strcpy", "strcspn", "strdup", "strerror", "strerror_l", "strerror_r",
    "strftime", "strftime_l", "strlen", "strncasecmp", "strncat", "strncmp", "strncpy", "strndup", "strnlen",
    "strpbrk", "strrchr", "strsep", "strsignal", "strspn", "strstr", "strtod", "strtof", "strtoimax", "strtok",
    "strtok_r", "strtol", "strtold", "strtoll", "strtoul", "strtoull", "strtoumax", "strxfrm", "strxfrm_l", "swab",
    "symlink", "symlinkat", "sync", "sysconf", "system", "tan", "tanf", "tanh", "tanhf", "tanhl", "tanl", "tcgetpgrp",
    "tcsetpgrp", "tempnam", "tgamma", "tgammaf", "tgammal", "time", "timegm", "timelocal", "timer_create",
    "timer_delete", "timer_getoverrun", "timer_gettime", "timer_settime", "timespec_get", "timezone", "tmpfile",
    "tmpnam", "tolower", "tolower_l", "toupper", "toupper_l", "true", "trunc", "truncate", "truncf", "truncl",
    "ttyname", "ttyname_r", "tzname", "tzset", "umask", "ungetc", "unix", "unlink", "unlinkat", "unsetenv", "usleep",
    "utimensat", "va_arg", "va_copy", "va_end", "va_start", "valloc", "vdprintf", "vfprintf", "vfscanf", "vprintf",
    "vscanf", "vsnprintf", "vsprintf", "vsscanf", "wait", "wcstoimax", "wcstombs", "wcstoumax", "wctomb", "write",
    "y0", "y1", "yn", NULL};
  /* clang-format on */
  const size_t length = strlen(name);
  if (length > 2 && !strcmp(name + length - 2, "_t"))
    return true; /* a type of C or of POSIX, which reserves such names */
  for (int i = 0; names[i]; i++)
    if (!strcmp(names[i], name)) return true;
  return false;
}
